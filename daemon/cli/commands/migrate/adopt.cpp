// migrate adopt.
#include "migrate/adopt/adopt.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/migrate_options.h"
#include "cli/subcommands.h"

namespace pantryd::cli {
namespace {

using migrate::Adoption;

constexpr std::size_t kLineCharsMax = 200;
constexpr const char* kUsage =
    "migrate adopt --from knex [--fence] [--dir DIR] | --fence | --unfence | --undo";

enum class Action { adopt, fence, unfence, undo };

Action action_of(const po::variables_map& values) {
  const bool from = values.count("from") > 0;
  const bool fence = values.count("fence") > 0;
  const bool unfence = values.count("unfence") > 0;
  const bool undo = values.count("undo") > 0;
  if (from && values["from"].as<std::string>() != "knex") {
    throw Error(ExitCode::usage,
                fmt::format("--from {} is not known", values["from"].as<std::string>()),
                "Knex is what can be adopted from: --from knex.");
  }
  if ((unfence || undo) ? (from || fence || unfence == undo) : !(from || fence)) {
    throw Error(ExitCode::usage, "one thing at a time is adopted, fenced, unfenced or undone",
                fmt::format("Usage: pantryd {}", kUsage));
  }
  if (undo) return Action::undo;
  if (unfence) return Action::unfence;
  return from ? Action::adopt : Action::fence;
}

void print_json(const char* outcome, nlohmann::json more) {
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

void print_json(const Adoption& adoption) {
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
  print_json(text_of(adoption.outcome),
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

void print_text(const Adoption& adoption) {
  if (adoption.outcome == Adoption::Outcome::already) {
    fmt::print("This database is adopted already.\n");
  }
  const bool adopted = adoption.outcome == Adoption::Outcome::adopted;
  for (const auto& each : adoption.match.adopted) {
    fmt::print("{:<8} {:<40} {} batch {}\n", adopted ? "adopted" : "matches", each.file.name,
               each.knex.time.value_or("(time not known)"),
               each.knex.batch ? std::to_string(*each.knex.batch) : "not known");
  }
  for (const auto& name : adoption.match.unmatched) fmt::print("no file  {}\n", name);
  for (const auto& name : adoption.match.pending) fmt::print("pending  {}\n", name);
  print_warnings(adoption.match.warnings);
  for (const auto& line : adoption.missing) fmt::print("  - {}\n", line.substr(0, kLineCharsMax));
  for (const auto& line : adoption.unexpected) {
    fmt::print("  + {}\n", line.substr(0, kLineCharsMax));
  }
  if (adopted) {
    fmt::print("The catalogue is what these migrations make: they were run in a scratch {}.\n",
               adoption.built_in);
  }
  if (adoption.fenced) fmt::print("Knex is fenced off: its migrate:latest refuses to run.\n");
}

[[noreturn]] void refuse(const Adoption& adoption) {
  const auto objects = adoption.missing.size() + adoption.unexpected.size();
  if (!adoption.match.unmatched.empty()) {
    throw Error(ExitCode::drift,
                fmt::format("Knex ran {} that no file here matches, {} first; nothing was recorded",
                            adoption.match.unmatched.size(), adoption.match.unmatched.front()),
                "Write each as NNN_name.sql with Knex's number and name, and name their folder "
                "with --dir.");
  }
  throw Error(
      ExitCode::drift,
      fmt::format("the database is not what its migrations make: {} difference{} (- made by "
                  "them, + found); nothing was recorded",
                  objects, objects == 1 ? "" : "s"),
      "Change the database or the files until they agree, then run the command again.");
}

int adopt(const Context& context, const po::variables_map& values,
          const migrate::RunnerOptions& run) {
  const auto files = files_of(values);
  auto connection = connect_to_migrate(context);
  const auto adoption = migrate::adopt_from_knex(connection, files, run, values.count("fence") > 0);
  if (context.json) {
    print_json(adoption);
  } else {
    print_text(adoption);
  }
  std::fflush(stdout);
  if (adoption.outcome == Adoption::Outcome::refused) refuse(adoption);
  return 0;
}

int undo(const Context& context, const migrate::RunnerOptions& run) {
  auto connection = connect_to_migrate(context);
  const auto released = migrate::undo_adoption(connection, run);
  const char* outcome = released.names.empty() ? "nothing adopted" : "undone";
  if (context.json) {
    print_json(outcome, {{"released", released.names},
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

int tell_fence(const Context& context, bool changed, bool fenced) {
  if (context.json) {
    print_json(changed ? "changed" : "unchanged", {{"fenced", fenced}});
  } else if (fenced) {
    fmt::print("Knex is fenced off{}: its migrate:latest refuses to run.\n",
               changed ? "" : " already");
  } else {
    fmt::print("{}: Knex may migrate.\n", changed ? "The fence is gone" : "There is no fence");
  }
  return 0;
}

}  // namespace

int run_migrate_adopt(const Context& context, const Arguments& arguments) {
  auto options = run_options();
  options.add_options()("from", po::value<std::string>(), "who made the database: knex")(
      "fence", "keep Knex from migrating, by its own lock")("unfence", "take the fence away")(
      "undo", "forget the adoption; Knex's tables stand as they were");
  const auto values = parse(kUsage, options, {}, arguments);
  if (!values) return 0;
  const auto action = action_of(*values);
  const auto run = runner_options(context, *values);
  if (action == Action::adopt) return adopt(context, *values, run);
  if (action == Action::undo) return undo(context, run);
  auto connection = connect_to_migrate(context);
  if (action == Action::fence) {
    return tell_fence(context, migrate::fence_knex(connection, run), true);
  }
  return tell_fence(context, migrate::unfence_knex(connection, run), false);
}

}  // namespace pantryd::cli
