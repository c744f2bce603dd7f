// Gives a result that cannot be written its own exit code, so that a script can tell it from a run
// that failed.
#include "cli/write_result.h"

#include <cstdio>

#include "base/error.h"
#include "base/file.h"

namespace pantryd::cli {

void write_result(const std::filesystem::path& file, std::string_view content) {
  std::fflush(stdout);
  try {
    write_file_atomically(file, content);
  } catch (const Error& error) {
    throw Error(ExitCode::unwritten, error.what(),
                "The result was printed; free space or name another file, and run it again.");
  }
}

}  // namespace pantryd::cli
