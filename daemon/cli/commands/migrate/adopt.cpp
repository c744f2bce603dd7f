// The migrate adopt command: takes over a database that Knex made, or undoes that.
#include "migrate/adopt/adopt.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/migrate_options.h"

namespace pantryd::cli {
namespace {

using migrate::Adoption;

constexpr std::size_t kLineCharsMax = 200;

enum class Action { adopt, fence, unfence, undo };

Action action_of(const Values& values) {
  const bool from = values.given("from");
  const bool fence = values.flag("fence");
  const bool unfence = values.flag("unfence");
  const bool undo = values.flag("undo");
  if ((unfence || undo) ? (from || fence || unfence == undo) : !(from || fence)) {
    throw Error(ExitCode::usage, "give one of --from, --fence, --unfence and --undo",
                "Only --from and --fence go together. For example: pantryd migrate adopt --from "
                "knex");
  }
  if (undo) return Action::undo;
  if (unfence) return Action::unfence;
  return from ? Action::adopt : Action::fence;
}

void print_outcome(const char* outcome, nlohmann::json more) {
  more["format"] = "pantryd.migrate-adopt";
  more["version"] = 1;
  more["outcome"] = outcome;
  fmt::print("{}\n", more.dump(2));
}

const char* text_of(Adoption::Outcome outcome) {
  switch (outcome) {
    case Adoption::Outcome::adopted:
      return "adopted";
    case Adoption::Outcome::already:
      return "already adopted";
    case Adoption::Outcome::refused:
      break;
  }
  return "refused";
}

void print_adoption_json(const Adoption& adoption) {
  nlohmann::json matched = nlohmann::json::array();
  for (const auto& each : adoption.match.adopted) {
    nlohmann::json row{{"migration", each.file.version},
                       {"name", each.file.name},
                       {"knex_name", each.knex.name},
                       {"batch", nullptr},
                       {"applied_at", nullptr}};
    if (each.knex.batch) row["batch"] = *each.knex.batch;
    if (each.knex.time) row["applied_at"] = *each.knex.time;
    matched.push_back(std::move(row));
  }
  print_outcome(
      text_of(adoption.outcome),
      {{"matched", matched},
       {"without_file", adoption.match.unmatched},
       {"not_run_by_knex", adoption.match.pending},
       {"warnings", adoption.match.warnings},
       {"built_in", adoption.built_in},
       {"catalogue", {{"missing", adoption.missing}, {"unexpected", adoption.unexpected}}},
       {"fenced", adoption.fenced}});
}

void print_warnings(const std::vector<std::string>& warnings) {
  for (const auto& each : warnings) fmt::print("warning: {}\n", each);
}

void print_adoption(const Adoption& adoption) {
  if (adoption.outcome == Adoption::Outcome::already) {
    fmt::print("This database is adopted already.\n");
  }
  const bool adopted = adoption.outcome == Adoption::Outcome::adopted;
  for (const auto& each : adoption.match.adopted) {
    fmt::print("{:<8} {:<40} {} batch {}\n", adopted ? "adopted" : "matches", each.file.name,
               each.knex.time.value_or("(time unknown)"),
               each.knex.batch ? std::to_string(*each.knex.batch) : "unknown");
  }
  for (const auto& name : adoption.match.unmatched) fmt::print("no file  {}\n", name);
  for (const auto& name : adoption.match.pending) fmt::print("pending  {}\n", name);
  print_warnings(adoption.match.warnings);
  for (const auto& line : adoption.missing) fmt::print("  - {}\n", line.substr(0, kLineCharsMax));
  for (const auto& line : adoption.unexpected) {
    fmt::print("  + {}\n", line.substr(0, kLineCharsMax));
  }
  if (adopted) {
    fmt::print("The catalogue is what these migrations make; they were run in a scratch {}.\n",
               adoption.built_in);
  }
  if (adoption.fenced) fmt::print("Knex is fenced off: its migrate:latest refuses to run.\n");
}

[[noreturn]] void refuse(const Adoption& adoption) {
  const auto objects = adoption.missing.size() + adoption.unexpected.size();
  if (!adoption.match.unmatched.empty()) {
    throw Error(
        ExitCode::drift,
        fmt::format(
            "Knex ran {} migration(s) that no file matches, the first is {}; nothing was recorded",
            adoption.match.unmatched.size(), adoption.match.unmatched.front()),
        "Write each of them as NNN_name.sql with Knex's number and name, and name the folder "
        "with --dir.");
  }
  throw Error(
      ExitCode::drift,
      fmt::format("the database is not what its migrations make: {} difference{} (- made by "
                  "the migrations, + found); nothing was recorded",
                  objects, objects == 1 ? "" : "s"),
      "Change the database or the files until they agree, then run the command again.");
}

int adopt(const Context& context, const Values& values, const migrate::RunnerOptions& run) {
  const auto files = files_of(values);
  auto connection = connect_to_migrate(context);
  const auto adoption = migrate::adopt_from_knex(connection, files, run, values.flag("fence"));
  if (context.json) {
    print_adoption_json(adoption);
  } else {
    print_adoption(adoption);
  }
  std::fflush(stdout);
  if (adoption.outcome == Adoption::Outcome::refused) refuse(adoption);
  return 0;
}

int undo_adopt(const Context& context, const migrate::RunnerOptions& run) {
  auto connection = connect_to_migrate(context);
  const auto released = migrate::undo_adoption(connection, run);
  const char* outcome = released.names.empty() ? "nothing adopted" : "undone";
  if (context.json) {
    print_outcome(outcome, {{"released", released.names},
                            {"unfenced", released.unfenced},
                            {"warnings", released.warnings}});
    return 0;
  }
  for (const auto& name : released.names) fmt::print("released {}\n", name);
  print_warnings(released.warnings);
  if (released.names.empty()) fmt::print("Nothing was adopted.\n");
  if (released.unfenced) fmt::print("The fence is gone: Knex may migrate again.\n");
  return 0;
}

int print_fence(const Context& context, bool changed, bool fenced) {
  if (context.json) {
    print_outcome(changed ? "changed" : "unchanged", {{"fenced", fenced}});
  } else if (fenced) {
    fmt::print("Knex is fenced off{}: its migrate:latest refuses to run.\n",
               changed ? "" : " already");
  } else {
    fmt::print("{}: Knex may migrate.\n", changed ? "The fence is gone" : "There is no fence");
  }
  return 0;
}

int run_migrate_adopt(const Context& context, const Values& values) {
  const auto action = action_of(values);
  const auto run = runner_options(context, values);
  if (action == Action::adopt) return adopt(context, values, run);
  if (action == Action::undo) return undo_adopt(context, run);
  auto connection = connect_to_migrate(context);
  if (action == Action::fence) {
    return print_fence(context, migrate::fence_knex(connection, run), true);
  }
  return print_fence(context, migrate::unfence_knex(connection, run), false);
}

}  // namespace

Command migrate_adopt_command() {
  return {.name = "migrate adopt",
          .summary = "take over a database that Knex made",
          .usage = "--from knex [--fence] [--dir DIR] | --fence | --unfence | --undo",
          .options = concat({{choice("from", "knex", "", "the program that made the database"),
                              flag("fence", "keep Knex from migrating, with Knex's own lock"),
                              flag("unfence", "let Knex migrate again"),
                              flag("undo", "forget the adoption; Knex's tables are unchanged")},
                             run_options()}),
          .examples = {"pantryd migrate adopt --dsn postgresql://127.0.0.1/shop --from knex "
                       "--fence"},
          .exits = {{4, "the database is not what its migrations make; nothing was recorded"},
                    {5, "another run, or a lock on a table, was in the way for too long"},
                    kUnreachable},
          .run = run_migrate_adopt};
}

}  // namespace pantryd::cli
