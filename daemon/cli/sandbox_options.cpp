// Chooses the folder of the sandbox: each user has one of their own by default.
#include "cli/sandbox_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace pantryd::cli {

std::vector<Option> sandbox_options() {
  return {text("dir", "DIR", "",
               "folder of the sandbox; default pantryd-sandbox-UID in $TMPDIR or /tmp")};
}

std::string sandbox_dir(const Values& values) {
  if (values.given("dir")) return values.text("dir");
  return (std::filesystem::temp_directory_path() / fmt::format("pantryd-sandbox-{}", ::geteuid()))
      .string();
}

}  // namespace pantryd::cli
