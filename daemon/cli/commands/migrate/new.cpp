#include "migrate/files/new.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/subcommands.h"

namespace pantryd::cli {

int run_migrate_new(const Context& context, const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("dir", po::value<std::string>()->default_value("migrations"),
                        "folder of the migrations")(
      "no-transaction", "the statements shall run one by one, as CONCURRENTLY needs it")(
      "name", po::value<std::string>(), "what it does; same as the argument");
  po::positional_options_description positional;
  positional.add("name", 1);
  const auto values =
      parse("migrate new NAME [--dir DIR] [--no-transaction]", options, positional, arguments);
  if (!values) return 0;
  if (values->count("name") == 0) {
    throw Error(ExitCode::usage, "migrate new needs a name",
                "Say what it does, such as: pantryd migrate new add_stock_level");
  }
  const auto path = migrate::write_new((*values)["dir"].as<std::string>(),
                                       {.name = (*values)["name"].as<std::string>(),
                                        .transaction = values->count("no-transaction") == 0});
  if (context.json) {
    const nlohmann::json json{
        {"format", "pantryd.migrate-new"}, {"version", 1}, {"path", path.string()}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("{}\n", path.string());
  }
  return 0;
}

}  // namespace pantryd::cli
