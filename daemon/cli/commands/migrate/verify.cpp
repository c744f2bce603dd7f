// migrate up, down, status and verify.
#include "migrate/migrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/migrate_options.h"
#include "cli/subcommands.h"
#include "migrate/catalogue/drift.h"

namespace pantryd::cli {
namespace {

constexpr auto kStatusLimit = std::chrono::seconds(30);
constexpr auto kVerifyLimit = std::chrono::seconds(120);
constexpr std::size_t kDriftCharsMax = 200;

using migrate::CatalogueDrift;
using migrate::MigrationState;

int print_applied(const Context& context, const std::vector<migrate::Applied>& applied,
                  const char* format, const char* verb, const char* nothing) {
  if (context.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& each : applied) {
      list.push_back(
          {{"name", each.name}, {"duration_ms", each.took.count()}, {"attempts", each.attempts}});
    }
    const nlohmann::json json{{"format", format}, {"version", 1}, {verb, list}};
    fmt::print("{}\n", json.dump(2));
    return 0;
  }
  for (const auto& each : applied) {
    fmt::print("{} {} in {}\n", verb, each.name, format_duration(each.took));
  }
  if (applied.empty()) fmt::print("{}\n", nothing);
  return 0;
}

void tell_row(const migrate::StatusRow& row) {
  std::string more = row.finished_at;
  if (row.state == MigrationState::half_done) {
    more = fmt::format("{} of {} statements{}", row.history->statements_done,
                       row.history->statements_total,
                       row.history->error.empty() ? "" : "; " + row.history->error);
  }
  fmt::print("{:<12} {:<40} {}\n", migrate::to_string(row.state), row.name, more);
}

nlohmann::json json_of(const std::vector<migrate::StatusRow>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& row : rows) {
    nlohmann::json each{{"migration", row.version},
                        {"name", row.name},
                        {"state", migrate::to_string(row.state)},
                        {"finished_at", row.finished_at},
                        {"duration_ms", row.duration_ms}};
    if (row.history) {
      each["statements_done"] = row.history->statements_done;
      each["statements_total"] = row.history->statements_total;
      each["error"] = row.history->error;
    }
    list.push_back(std::move(each));
  }
  return list;
}

const char* text_of(CatalogueDrift::State state) {
  switch (state) {
    case CatalogueDrift::State::unrecorded:
      return "unrecorded";
    case CatalogueDrift::State::same:
      return "same";
    case CatalogueDrift::State::drifted:
      return "drifted";
    case CatalogueDrift::State::run_open:
      return "run open";
    case CatalogueDrift::State::incomparable:
      return "incomparable";
  }
  return "unknown";
}

void tell_catalogue(const CatalogueDrift& drift) {
  switch (drift.state) {
    case CatalogueDrift::State::same:
      fmt::print("The catalogue is as the migrations left it.\n");
      return;
    case CatalogueDrift::State::unrecorded:
      fmt::print("The catalogue was not recorded yet: run pantryd migrate up.\n");
      return;
    case CatalogueDrift::State::run_open:
      fmt::print(
          "A run is under way or was cut off, so the catalogue cannot be compared: run pantryd "
          "migrate up.\n");
      return;
    case CatalogueDrift::State::incomparable:
      fmt::print(
          "The catalogue was recorded under another major version of the server: look it over, "
          "then run pantryd migrate verify --accept.\n");
      return;
    case CatalogueDrift::State::drifted:
      break;
  }
  fmt::print("The catalogue was changed by hand since {}:\n", drift.recorded_at);
  for (const auto& line : drift.removed) fmt::print("  - {}\n", line.substr(0, kDriftCharsMax));
  for (const auto& line : drift.added) fmt::print("  + {}\n", line.substr(0, kDriftCharsMax));
}

/// What does not fit between files and history; pending ones alone are in order.
bool is_drift(MigrationState state) {
  return state == MigrationState::edited || state == MigrationState::missing_file ||
         state == MigrationState::out_of_order;
}

}  // namespace

int run_migrate_up(const Context& context, const Arguments& arguments) {
  auto options = run_options();
  options.add_options()("to", po::value<std::int64_t>(),
                        "the last version to apply; repeatable ones are then left out")(
      "allow-out-of-order", "run files numbered below one that is applied");
  const auto values = parse("migrate up [--dir DIR] [--to VERSION]", options, {}, arguments);
  if (!values) return 0;
  const auto files = files_of(*values);
  const auto run = runner_options(context, *values);
  auto connection = connect_to_migrate(context);
  const auto applied = migrate::up(connection, files, run, [&](const migrate::Migration& each) {
    if (context.progress) fmt::print(stderr, "applying {}\n", each.name);
  });
  return print_applied(context, applied, "pantryd.migrate-up", "applied", "Nothing is pending.");
}

int run_migrate_down(const Context& context, const Arguments& arguments) {
  auto options = run_options();
  options.add_options()("to", po::value<std::int64_t>(),
                        "undo all above this version; default: the newest one alone");
  const auto values = parse("migrate down [--dir DIR] [--to VERSION]", options, {}, arguments);
  if (!values) return 0;
  const auto files = files_of(*values);
  const auto run = runner_options(context, *values);
  auto connection = connect_to_migrate(context);
  const auto undone = migrate::down(connection, files, run, [&](const migrate::Migration& each) {
    if (context.progress) fmt::print(stderr, "undoing {}\n", each.name);
  });
  return print_applied(context, undone, "pantryd.migrate-down", "undone", "Nothing is applied.");
}

int run_migrate_status(const Context& context, const Arguments& arguments) {
  auto options = folder_option();
  options.add_options()("check", "exit with 3 when something is pending, 4 on drift");
  const auto values = parse("migrate status [--check] [--dir DIR]", options, {}, arguments);
  if (!values) return 0;
  const auto files = files_of(*values);
  auto connection = connect_to_migrate(context);
  const auto rows = migrate::status(connection, files, Deadline::in(kStatusLimit));
  bool pending = false;
  bool drift = false;
  for (const auto& row : rows) {
    pending = pending || is_pending(row.state);
    drift = drift || is_drift(row.state);
    if (!context.json) tell_row(row);
  }
  if (context.json) {
    const nlohmann::json json{
        {"format", "pantryd.migrate-status"}, {"version", 1}, {"migrations", json_of(rows)}};
    fmt::print("{}\n", json.dump(2));
  }
  if (values->count("check") == 0) return 0;
  if (drift) return static_cast<int>(ExitCode::drift);
  return static_cast<int>(pending ? ExitCode::pending : ExitCode::ok);
}

int run_migrate_verify(const Context& context, const Arguments& arguments) {
  auto options = folder_option();
  options.add_options()("accept", "take the catalogue as it is for right from now on");
  const auto values = parse("migrate verify [--dir DIR] [--accept]", options, {}, arguments);
  if (!values) return 0;
  const auto files = files_of(*values);
  auto connection = connect_to_migrate(context);
  if (values->count("accept") > 0) {
    migrate::RunnerOptions run;
    run.stop = context.stop;
    migrate::accept_drift(connection, run);
  }
  const auto rows = migrate::status(connection, files, Deadline::in(kStatusLimit));
  const auto catalogue = migrate::compare_catalogue(connection, Deadline::in(kVerifyLimit));
  const bool misfit =
      std::any_of(rows.begin(), rows.end(), [](const auto& row) { return is_drift(row.state); });
  const bool drift = misfit || catalogue.state == CatalogueDrift::State::drifted;
  if (context.json) {
    const nlohmann::json json{{"format", "pantryd.migrate-verify"},
                              {"version", 1},
                              {"drift", drift},
                              {"migrations", json_of(rows)},
                              {"catalogue",
                               {{"state", text_of(catalogue.state)},
                                {"fingerprint", catalogue.found},
                                {"recorded", catalogue.recorded},
                                {"recorded_at", catalogue.recorded_at},
                                {"added", catalogue.added},
                                {"removed", catalogue.removed}}}};
    fmt::print("{}\n", json.dump(2));
  } else {
    for (const auto& row : rows) {
      if (row.state != MigrationState::applied) tell_row(row);
    }
    tell_catalogue(catalogue);
  }
  return static_cast<int>(drift ? ExitCode::drift : ExitCode::ok);
}

}  // namespace pantryd::cli
