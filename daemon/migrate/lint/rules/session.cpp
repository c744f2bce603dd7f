// Transactions, settings and types: what a statement does to the session that runs the file.
#include <fmt/format.h>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

void transaction_statement(LintWalk& walk, const Json& body) {
  const auto kind = text_of(body, "kind");
  const bool begins = kind == "TRANS_STMT_BEGIN" || kind == "TRANS_STMT_START";
  const bool ends =
      kind == "TRANS_STMT_COMMIT" || kind == "TRANS_STMT_ROLLBACK" || kind == "TRANS_STMT_PREPARE";
  if (!begins && !ends) return;
  walk.report(
      {"transaction-nesting",
       walk.input.in_transaction
           ? "the runner opened a transaction for this file already, and ending it early "
             "releases its locks and splits the change from its row of history"
           : "a file without a transaction resumes at the statement where it stopped, which "
             "cannot be inside a block that took its locks in a session that is gone",
       walk.input.in_transaction
           ? "-- Leave it out."
           : "-- Put these statements into a file without \"-- migrate:no-transaction\"."});
  walk.transaction = {};
  if (!walk.input.in_transaction) walk.in_transaction = begins;
}

bool is_zero(const Json& set) {
  const auto& arguments = child(set, "args");
  if (!arguments.is_array() || arguments.empty()) return false;
  const auto& constant = child(arguments[0], "A_Const");
  if (constant.contains("ival")) return number(child(constant, "ival"), "ival") == 0;
  const auto text = text_of(child(constant, "sval"), "sval");
  return !text.empty() && text.find_first_of("123456789") == std::string::npos;
}

void set_variable(LintWalk& walk, const Json& body) {
  const auto name = text_of(body, "name");
  const bool off = text_of(body, "kind") == "VAR_SET_DEFAULT" || is_zero(body);
  if (name == "lock_timeout" && off) {
    walk.report(
        {"lock-timeout-off",
         "without a lock_timeout an ACCESS EXCLUSIVE lock waits behind the oldest query, and "
         "every later query waits behind it",
         "-- Leave it out: the runner sets it, and tries again when it runs out."});
  }
  if (text_of(body, "kind") != "VAR_SET_VALUE" || flag(body, "is_local") || !walk.in_transaction) {
    return;
  }
  walk.report(
      {"set-not-local",
       fmt::format("{} stays set for the files that run after this one (no lock is taken)", name),
       walk.with_words("set", "LOCAL")});
}

void alter_enum(LintWalk& walk, const Json& body) {
  const auto names = names_of(child(body, "typeName"));
  const auto type = LintWalk::sql_name(names);
  const auto from = text_of(body, "oldVal");
  const auto to = text_of(body, "newVal");
  if (walk.transaction.new_types.count(LintWalk::key(names)) > 0) return;
  if (!from.empty()) {
    walk.report(
        {"rename-enum-value",
         fmt::format("a running application that still says '{}' fails at once, although the "
                     "lock itself is short",
                     from),
         fmt::format("ALTER TYPE {} ADD VALUE IF NOT EXISTS '{}' AFTER '{}';\n"
                     "-- then change the rows in batches, in a later file",
                     type, to, from)});
  } else if (text_of(body, "newValNeighbor").empty()) {
    walk.report({"enum-value-without-order",
                 fmt::format("'{}' sorts last, and the order can never be changed (no lock on any "
                             "table)",
                             to),
                 fmt::format("ALTER TYPE {} ADD VALUE IF NOT EXISTS '{}' AFTER '...';", type, to)});
  }
}

void uses_new_enum_value(LintWalk& walk, const Json& body) {
  if (walk.transaction.enum_values.empty() || walk.current->kind == "AlterEnumStmt") return;
  std::string used;
  visit(body, [&](const std::string& kind, const Json& node) {
    if (kind != "A_Const") return;
    const auto text = text_of(child(node, "sval"), "sval");
    if (walk.transaction.enum_values.count(text) > 0) used = text;
  });
  if (used.empty()) return;
  walk.report({"enum-value-used-in-same-transaction",
               fmt::format("'{}' cannot be used before the transaction that added it commits "
                           "(55P04), so the whole file fails, whatever lock it got",
                           used),
               LintWalk::later(walk.text() + ";")});
}

void needs_no_transaction(LintWalk& walk, const std::string& kind, const Json& body) {
  const char* what = nullptr;
  if (kind == "AlterSystemStmt") what = "ALTER SYSTEM";
  if (kind == "CreatedbStmt") what = "CREATE DATABASE";
  if (kind == "DropdbStmt") what = "DROP DATABASE";
  if (kind == "CreateTableSpaceStmt") what = "CREATE TABLESPACE";
  if (kind == "DropTableSpaceStmt") what = "DROP TABLESPACE";
  if (kind == "ClusterStmt" && text_of(child(body, "relation"), "relname").empty()) {
    what = "CLUSTER of all tables";
  }
  if (what == nullptr || !walk.in_transaction) return;
  walk.report(
      {"cannot-run-in-transaction",
       fmt::format("{} fails inside a transaction (25001), and this file runs in one", what),
       walk.alone(walk.text() + ";")});
}

}  // namespace

void judge_session(LintWalk& walk) {
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  needs_no_transaction(walk, kind, body);
  uses_new_enum_value(walk, body);
  if (kind == "TransactionStmt") transaction_statement(walk, body);
  if (kind == "VariableSetStmt") set_variable(walk, body);
  if (kind == "AlterEnumStmt") alter_enum(walk, body);
  if (kind == "DoStmt") {
    walk.report({"do-block-not-inspected",
                 "what a DO block runs is a text, so nobody has looked at its locks",
                 "-- Write the statements themselves where that is possible."});
  }
}

}  // namespace pantryd::migrate
