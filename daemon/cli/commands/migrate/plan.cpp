// The migrate plan command: what up would run, found by a trial that is rolled back.
#include "migrate/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/command.h"
#include "cli/migrate_options.h"

namespace pantryd::cli {
namespace {

using migrate::Outcome;
using migrate::Plan;
using migrate::PlannedLock;
using migrate::PlannedStatement;
using std::chrono::milliseconds;

std::vector<Option> plan_rows() {
  return concat(
      {folder_options(),
       {count("to", "VERSION", "", {}, "the last version; repeatable migrations are then left out"),
        flag("allow-out-of-order", "as for migrate up"),
        flag("no-try", "run nothing; print the locks that the manual documents"),
        duration("lock-timeout", "100ms", milliseconds(1), kNoLimit, "how long to wait for a lock"),
        duration("statement-timeout", "500ms", milliseconds(1), kNoLimit,
                 "how long one statement is tried"),
        duration("hold-budget", "1s", milliseconds(1), kNoLimit,
                 "how long to hold locks on what other sessions use"),
        size("max-size", "10MB", {},
             "a larger table is not read, changed or rewritten for the trial")}});
}

migrate::PlanOptions plan_options(const Context& context, const Values& values) {
  migrate::PlanOptions out;
  out.lock_timeout = values.duration("lock-timeout");
  out.statement_timeout = values.duration("statement-timeout");
  out.hold_budget = values.duration("hold-budget");
  out.size_max_bytes = values.bytes("max-size");
  out.try_it = !values.flag("no-try");
  if (values.given("to")) out.to = values.count("to");
  out.allow_out_of_order = values.flag("allow-out-of-order");
  out.stop = context.stop;
  return out;
}

std::string how(const PlannedLock& lock, Outcome outcome) {
  std::string out = lock.seen ? "seen" : "documented";
  if (lock.held) {
    out += ", already held";
  } else if (!lock.seen && outcome == Outcome::tried) {
    out += ", not visible: an earlier file held the lock";
  }
  return out;
}

std::string size_of(const PlannedLock& lock) {
  if (lock.is_new) return lock.seen ? "new" : "does not exist yet";
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

void print_statement(const PlannedStatement& statement) {
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
    fmt::print("        no lock on a table that exists now\n");
  } else if (!any) {
    fmt::print("        locks unknown\n");
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
        file.statements_done == 0 ? "" : fmt::format(", {} already done", file.statements_done));
    for (const auto& statement : file.statements) print_statement(statement);
  }
  for (const auto& note : plan.notes) fmt::print("Note: {}.\n", note);
  if (plan.blockers.empty()) {
    fmt::print("No session blocks it at the moment.\n");
  } else {
    fmt::print("Sessions that block it at the moment:\n");
    for (const auto& each : plan.blockers) fmt::print("  {}\n", in_words(each));
  }
  const bool any = std::any_of(plan.files.begin(), plan.files.end(), [](const auto& file) {
    return std::any_of(file.statements.begin(), file.statements.end(),
                       [](const auto& each) { return each.outcome == Outcome::tried; });
  });
  if (any) {
    fmt::print("Everything was rolled back; locks were held for {}.\n", format_duration(plan.held));
  } else {
    fmt::print("Nothing was changed.\n");
  }
  return 0;
}

template <typename Value>
nlohmann::json or_null(const std::optional<Value>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json planned_json(const PlannedStatement& statement) {
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
      statements.push_back(planned_json(statement));
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

int run_migrate_plan(const Context& context, const Values& values) {
  const auto wanted = plan_options(context, values);
  const auto plan = migrate::make_plan(target(context), files_of(values), wanted);
  return context.json ? print_json(plan) : print_text(plan);
}

}  // namespace

Command migrate_plan_command() {
  return {.name = "migrate plan",
          .summary = "show what up would run, and the locks it would take",
          .usage = "[--dir DIR] [--to VERSION] [--no-try]",
          .options = plan_rows(),
          .examples = {"pantryd migrate plan --dsn postgresql://127.0.0.1/shop"},
          .exits = {kUnreachable},
          .run = run_migrate_plan};
}

}  // namespace pantryd::cli
