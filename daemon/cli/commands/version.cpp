#include <fmt/format.h>
#include <libpq-fe.h>

#include <nlohmann/json.hpp>

#include "cli/subcommands.h"

namespace pantryd::cli {

int run_version(const Context& context, const Arguments& arguments) {
  if (!parse("version [--json]", {}, {}, arguments)) return 0;
  const int libpq = PQlibVersion();
  const auto libpq_text = fmt::format("{}.{}", libpq / 10'000, libpq % 10'000);
  if (context.json) {
    const nlohmann::json json{{"format", "pantryd.version"},
                              {"version", 1},
                              {"pantryd", PANTRYD_VERSION},
                              {"libpq", libpq_text}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("pantryd {} (libpq {})\n", PANTRYD_VERSION, libpq_text);
  }
  return 0;
}

}  // namespace pantryd::cli
