#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "cli/subcommands.h"
#include "migrate/runner.h"

namespace pantryd::cli {
namespace {

constexpr auto kConnectLimit = std::chrono::seconds(10);
constexpr auto kStatusLimit = std::chrono::seconds(30);

po::options_description folder_option() {
  po::options_description options("Options");
  options.add_options()("dir", po::value<std::string>()->default_value(""),
                        "folder of the migrations; default: those in this binary");
  return options;
}

std::vector<migrate::Migration> files_of(const po::variables_map& values) {
  const auto dir = values["dir"].as<std::string>();
  return dir.empty() ? migrate::embedded_migrations() : migrate::load_folder(dir);
}

pg::Connection connect(const Context& context) {
  return pg::Connection::connect(
      target(context), Deadline::in(kConnectLimit),
      {.application_name = "pantryd migrate", .settings = {}, .stop = context.stop});
}

}  // namespace

int run_migrate_up(const Context& context, const Arguments& arguments) {
  auto options = folder_option();
  options.add_options()("lock-wait", po::value<std::string>()->default_value("60s"),
                        "how long to wait for another runner");
  const auto values = parse("migrate up [--dir DIR]", options, {}, arguments);
  if (!values) return 0;
  const auto files = files_of(*values);
  migrate::RunnerOptions run;
  run.lock_wait = duration_option(*values, "lock-wait");
  run.tool_version = PANTRYD_VERSION;
  run.stop = context.stop;
  auto connection = connect(context);
  const auto applied = migrate::up(connection, files, run, [&](const migrate::Migration& each) {
    if (context.progress) fmt::print(stderr, "applying {}\n", each.name);
  });
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& each : applied) {
      list.push_back({{"name", each.name}, {"duration_ms", each.took.count()}});
    }
    const nlohmann::json json{{"format", "pantryd.migrate-up"}, {"version", 1}, {"applied", list}};
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  for (const auto& each : applied) {
    fmt::print("applied {} in {}\n", each.name, format_duration(each.took));
  }
  if (applied.empty()) fmt::print("Nothing is pending.\n");
  return 0;
}

int run_migrate_status(const Context& context, const Arguments& arguments) {
  auto options = folder_option();
  options.add_options()("check", "exit with 3 when something is pending, 4 on drift");
  const auto values = parse("migrate status [--check] [--dir DIR]", options, {}, arguments);
  if (!values) return 0;
  const auto files = files_of(*values);
  auto connection = connect(context);
  const auto rows = migrate::status(connection, files, Deadline::in(kStatusLimit));
  bool pending = false;
  bool drift = false;
  nlohmann::json list = nlohmann::json::array();
  for (const auto& row : rows) {
    const bool waits = row.state == migrate::MigrationState::pending;
    pending = pending || waits;
    drift = drift || (!waits && row.state != migrate::MigrationState::applied);
    list.push_back({{"migration", row.version},
                    {"name", row.name},
                    {"state", migrate::to_string(row.state)},
                    {"finished_at", row.finished_at},
                    {"duration_ms", row.duration_ms}});
    if (!context.json) {
      fmt::print("{:<12} {:<40} {}\n", migrate::to_string(row.state), row.name, row.finished_at);
    }
  }
  if (context.json) {
    const nlohmann::json json{
        {"format", "pantryd.migrate-status"}, {"version", 1}, {"migrations", list}};
    fmt::print("{}\n", json.dump(2));
  }
  if (values->count("check") == 0) return 0;
  if (drift) return static_cast<int>(ExitCode::drift);
  return static_cast<int>(pending ? ExitCode::pending : ExitCode::ok);
}

}  // namespace pantryd::cli
