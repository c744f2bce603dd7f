#include "migrate/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "cli/migrate_options.h"
#include "cli/subcommands.h"

namespace pantryd::cli {
namespace {

using migrate::Outcome;
using migrate::Plan;
using migrate::PlannedLock;
using migrate::PlannedStatement;

migrate::PlanOptions plan_options(const Context& context, const po::variables_map& values) {
  migrate::PlanOptions out;
  out.lock_timeout = duration_option(values, "lock-timeout");
  out.statement_timeout = duration_option(values, "statement-timeout");
  out.hold_budget = duration_option(values, "hold-budget");
  for (const auto* name : {"lock-timeout", "statement-timeout", "hold-budget"}) {
    if (duration_option(values, name).count() > 0) continue;
    throw Error(ExitCode::usage, fmt::format("--{} 0 would be without a limit", name),
                "Give a duration above 0, or --no-try.");
  }
  const auto size = parse_size_bytes(values["max-size"].as<std::string>());
  if (!size) {
    throw Error(
        ExitCode::usage,
        fmt::format("--max-size \"{}\" is not a size", values["max-size"].as<std::string>()),
        "Write a number and a unit: 512kB, 10MB, 1GB.");
  }
  out.size_max_bytes = *size;
  out.try_it = values.count("no-try") == 0;
  if (values.count("to") > 0) out.to = values["to"].as<std::int64_t>();
  out.allow_out_of_order = values.count("allow-out-of-order") > 0;
  out.stop = context.stop;
  return out;
}

std::string how(const PlannedLock& lock, Outcome outcome) {
  std::string out = lock.seen ? "seen" : "documented";
  if (lock.held) {
    out += ", held already";
  } else if (!lock.seen && outcome == Outcome::tried) {
    out += ", could not be seen: an earlier file's lock was held";
  }
  return out;
}

std::string size_of(const PlannedLock& lock) {
  if (lock.is_new) return lock.seen ? "new" : "not there yet";
  if (!lock.bytes) return "size unknown";
  if (!lock.rows) return format_bytes(*lock.bytes);
  return fmt::format("{}, {} rows", format_bytes(*lock.bytes), format_count(*lock.rows));
}

const char* verdict(Outcome outcome) {
  switch (outcome) {
    case Outcome::tried:
      return "";
    case Outcome::not_tried:
      return "not tried: ";
    case Outcome::blocked:
      return "blocked now: ";
    case Outcome::fails:
      return "up would fail here: ";
  }
  return "";
}

void tell_statement(const PlannedStatement& statement) {
  fmt::print("  {:>4}  {}\n", statement.line, statement.text);
  if (!statement.reason.empty()) {
    fmt::print("        {}{}\n", verdict(statement.outcome), statement.reason);
  }
  // On a table that nobody else can use, no lock matters.
  bool any = false;
  for (const auto& lock : statement.locks) {
    if (lock.is_new && lock.seen) continue;
    any = true;
    fmt::print("        {:<22}  {:<24}  {:<26}  {}\n", migrate::to_string(lock.mode), lock.relation,
               size_of(lock), how(lock, statement.outcome));
  }
  if (!any && statement.outcome == Outcome::tried) {
    fmt::print("        no lock on a table that is there now\n");
  } else if (!any) {
    fmt::print("        locks not known\n");
  }
  for (const auto& finding : statement.findings) {
    fmt::print("        {} {}\n", migrate::to_string(finding.severity), finding.rule);
  }
}

std::string in_words(const migrate::PlanBlocker& blocker) {
  return fmt::format("{}: {}", blocker.holds, migrate::describe({blocker.who}));
}

int print_text(const Plan& plan) {
  if (plan.files.empty()) {
    fmt::print("Nothing is pending.\n");
    return 0;
  }
  for (const auto& file : plan.files) {
    fmt::print(
        "{}.sql: {}, {} statement{}{}\n", file.name,
        file.in_transaction ? "one transaction" : "statement by statement", file.statements_total,
        file.statements_total == 1 ? "" : "s",
        file.statements_done == 0 ? "" : fmt::format(", {} done already", file.statements_done));
    for (const auto& statement : file.statements) tell_statement(statement);
  }
  for (const auto& note : plan.notes) fmt::print("Note: {}.\n", note);
  if (plan.blockers.empty()) {
    fmt::print("Nobody is in the way right now.\n");
  } else {
    fmt::print("In the way right now:\n");
    for (const auto& each : plan.blockers) fmt::print("  {}\n", in_words(each));
  }
  const bool any = std::any_of(plan.files.begin(), plan.files.end(), [](const auto& file) {
    return std::any_of(file.statements.begin(), file.statements.end(),
                       [](const auto& each) { return each.outcome == Outcome::tried; });
  });
  if (any) {
    fmt::print("All was rolled back; locks were held for {}.\n", format_duration(plan.held));
  } else {
    fmt::print("Nothing was changed.\n");
  }
  return 0;
}

template <typename Value>
nlohmann::json or_null(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json json_of(const PlannedStatement& statement) {
  nlohmann::json locks = nlohmann::json::array();
  for (const auto& lock : statement.locks) {
    locks.push_back({{"relation", lock.relation},
                     {"mode", migrate::to_string(lock.mode)},
                     {"source", lock.seen ? "seen" : "documented"},
                     {"held_already", lock.held},
                     {"new", lock.is_new},
                     {"bytes", or_null(lock.bytes)},
                     {"rows", or_null(lock.rows)}});
  }
  nlohmann::json findings = nlohmann::json::array();
  for (const auto& finding : statement.findings) {
    findings.push_back(
        {{"rule", finding.rule}, {"severity", migrate::to_string(finding.severity)}});
  }
  return {{"number", statement.number},  {"line", statement.line},
          {"statement", statement.text}, {"outcome", migrate::to_string(statement.outcome)},
          {"reason", statement.reason},  {"locks", locks},
          {"findings", findings}};
}

int print_json(const Plan& plan) {
  nlohmann::json files = nlohmann::json::array();
  bool fails = false;
  for (const auto& file : plan.files) {
    nlohmann::json statements = nlohmann::json::array();
    for (const auto& statement : file.statements) {
      statements.push_back(json_of(statement));
      fails = fails || statement.outcome == Outcome::fails;
    }
    files.push_back({{"name", file.name},
                     {"transaction", file.in_transaction},
                     {"statements_total", file.statements_total},
                     {"statements_done", file.statements_done},
                     {"statements", statements}});
  }
  nlohmann::json blockers = nlohmann::json::array();
  for (const auto& each : plan.blockers) {
    blockers.push_back({{"pid", each.who.pid},
                        {"user", each.who.user},
                        {"application", each.who.application},
                        {"state", each.who.state},
                        {"query", each.who.query},
                        {"transaction_age_seconds",
                         each.who.age ? nlohmann::json(each.who.age->count()) : nlohmann::json()},
                        {"holds", each.holds}});
  }
  const nlohmann::json json{{"format", "pantryd.migrate-plan"},
                            {"version", 1},
                            {"files", files},
                            {"would_fail", fails},
                            {"blockers", blockers},
                            {"notes", plan.notes},
                            {"held_ms", plan.held.count()}};
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  return 0;
}

}  // namespace

int run_migrate_plan(const Context& context, const Arguments& arguments) {
  const auto text = [](const char* value) {
    return po::value<std::string>()->default_value(value);
  };
  auto options = folder_option();
  options.add_options()("to", po::value<std::int64_t>(),
                        "the last version; repeatable ones are then left out")("allow-out-of-order",
                                                                               "as for up")(
      "no-try", "run nothing: tell the locks as the manual documents them")(
      "lock-timeout", text("100ms"), "the longest that a lock is waited for")(
      "statement-timeout", text("500ms"), "the longest that one statement is tried")(
      "hold-budget", text("1s"), "the longest that locks on what others use are held")(
      "max-size", text("10MB"), "a larger table is not read, changed or rewritten to try");
  const auto values =
      parse("migrate plan [--dir DIR] [--to VERSION] [--no-try]", options, {}, arguments);
  if (!values) return 0;
  const auto wanted = plan_options(context, *values);
  const auto plan = migrate::make_plan(target(context), files_of(*values), wanted);
  return context.json ? print_json(plan) : print_text(plan);
}

}  // namespace pantryd::cli
