// The migrate verify command: edited, missing and late files, and changes made by hand.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/migrate_options.h"
#include "cli/migrate_rows.h"
#include "migrate/catalogue/drift.h"

namespace pantryd::cli {
namespace {

constexpr auto kVerifyLimit = std::chrono::seconds(120);
constexpr std::size_t kDriftCharsMax = 200;

using migrate::CatalogueDrift;

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

void print_catalogue(const CatalogueDrift& drift) {
  switch (drift.state) {
    case CatalogueDrift::State::same:
      fmt::print("The catalogue is as the migrations left it.\n");
      return;
    case CatalogueDrift::State::unrecorded:
      fmt::print("The catalogue has not been recorded yet: run pantryd migrate up.\n");
      return;
    case CatalogueDrift::State::run_open:
      fmt::print(
          "A run is in progress or was interrupted, so the catalogue cannot be compared: run "
          "pantryd migrate up.\n");
      return;
    case CatalogueDrift::State::incomparable:
      fmt::print(
          "The catalogue was recorded under another major version of the server: review it, then "
          "run pantryd migrate verify --accept.\n");
      return;
    case CatalogueDrift::State::drifted:
      break;
  }
  fmt::print("The catalogue was changed by hand since {}:\n", drift.recorded_at);
  for (const auto& line : drift.removed) fmt::print("  - {}\n", line.substr(0, kDriftCharsMax));
  for (const auto& line : drift.added) fmt::print("  + {}\n", line.substr(0, kDriftCharsMax));
}

void print_verify_json(bool drift, const std::vector<migrate::StatusRow>& rows,
                       const CatalogueDrift& catalogue) {
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
}

int run_migrate_verify(const Context& context, const Values& values) {
  const auto files = files_of(values);
  auto connection = connect_to_migrate(context);
  if (values.flag("accept")) {
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
    print_verify_json(drift, rows, catalogue);
  } else {
    for (const auto& row : rows) {
      if (row.state != migrate::MigrationState::applied) print_row(row);
    }
    print_catalogue(catalogue);
  }
  return static_cast<int>(drift ? ExitCode::drift : ExitCode::ok);
}

}  // namespace

Command migrate_verify_command() {
  return {
      .name = "migrate verify",
      .summary = "find changed files, and changes made by hand",
      .usage = "[--dir DIR] [--accept]",
      .options = concat(
          {folder_options(), {flag("accept", "record the catalogue as it is now as correct")}}),
      .examples = {"pantryd migrate verify --dsn postgresql://127.0.0.1/shop"},
      .exits = {{4, "drift was found"}, {5, "--accept: another run is in progress"}, kUnreachable},
      .run = run_migrate_verify};
}

}  // namespace pantryd::cli
