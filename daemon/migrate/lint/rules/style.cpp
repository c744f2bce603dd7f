// Advice on what is hard to change later: types of columns, names, statements that run twice.
#include <fmt/format.h>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

/// One finding a rule and a statement, however many columns it names.
struct TypeAdvice {
  const char* rule;
  const char* why;
  const char* instead;
  std::vector<std::string> columns;
  std::size_t at = Report::kHere;
};

bool is_primary(const Json& column) {
  const auto& constraints = child(column, "constraints");
  if (!constraints.is_array()) return false;
  for (const auto& each : constraints) {
    if (text_of(child(each, "Constraint"), "contype") == "CONSTR_PRIMARY") return true;
  }
  return false;
}

std::vector<const Json*> new_columns(const Statement& statement, std::vector<std::string>& keys) {
  std::vector<const Json*> out;
  const auto& elements = child(statement.body, "tableElts");
  if (statement.kind == "CreateStmt" && elements.is_array()) {
    for (const auto& each : elements) {
      if (each.contains("ColumnDef")) out.push_back(&child(each, "ColumnDef"));
      const auto& constraint = child(each, "Constraint");
      if (text_of(constraint, "contype") == "CONSTR_PRIMARY") {
        keys = names_of(child(constraint, "keys"));
      }
    }
  }
  if (statement.kind == "AlterTableStmt") {
    each_command(statement.body, [&](const std::string& subtype, const Json& command) {
      if (subtype == "AT_AddColumn") out.push_back(&child(child(command, "def"), "ColumnDef"));
    });
  }
  return out;
}

void judge_types(LintWalk& walk) {
  std::vector<TypeAdvice> advice{
      {"prefer-bigint",
       "a 32-bit key runs out at 2,147,483,647, and changing its type then rewrites "
       "the table under an ACCESS EXCLUSIVE lock",
       "bigint",
       {}},
      {"prefer-identity",
       "a serial's sequence has rights and an owner of its own, and any INSERT may "
       "bypass it (no lock is involved)",
       "bigint GENERATED ALWAYS AS IDENTITY",
       {}},
      {"prefer-timestamptz",
       "a timestamp without time zone means another moment in every session, "
       "and changing its type rewrites the table under an ACCESS EXCLUSIVE lock",
       "timestamptz",
       {}},
      {"prefer-text",
       "a shorter limit later on needs an ACCESS EXCLUSIVE lock and a scan, where a "
       "CHECK can be NOT VALID first",
       "text",
       {}},
      {"prefer-jsonb",
       "json has no equality and no index, and a SELECT DISTINCT over it fails (no "
       "lock is involved)",
       "jsonb",
       {}},
  };
  std::vector<std::string> keys;
  for (const auto* column : new_columns(*walk.current, keys)) {
    const auto name = text_of(*column, "colname");
    const auto type = column_type(child(*column, "typeName"));
    const bool key = is_primary(*column) || (keys.size() == 1 && keys[0] == name);
    const auto add = [&](std::size_t which) {
      advice[which].columns.push_back(name);
      if (advice[which].at == Report::kHere) advice[which].at = walk.place_of(*column);
    };
    const bool serial = type.name == "serial" || type.name == "serial4" ||
                        type.name == "smallserial" || type.name == "serial2";
    if (serial || (key && (type.name == "int4" || type.name == "int2"))) add(0);
    if (type.name.find("serial") != std::string::npos) add(1);
    if (type.name == "timestamp") add(2);
    if ((type.name == "varchar" || type.name == "bpchar") && !type.modifiers.empty()) add(3);
    if (type.name == "json") add(4);
  }
  for (const auto& each : advice) {
    if (each.columns.empty()) continue;
    std::string rewrite;
    for (const auto& column : each.columns) {
      rewrite +=
          fmt::format("{}{} {}", rewrite.empty() ? "" : ",\n", quote_name(column), each.instead);
    }
    walk.report({each.rule, each.why, rewrite, "", each.at});
  }
}

void judge_constraint_names(LintWalk& walk) {
  const auto& body = walk.current->body;
  if (walk.current->kind != "AlterTableStmt") return;
  each_command(body, [&](const std::string& subtype, const Json& command) {
    const auto& constraint = child(child(command, "def"), "Constraint");
    if (subtype != "AT_AddConstraint" || !text_of(constraint, "conname").empty()) return;
    if (!text_of(constraint, "indexname").empty()) return;
    walk.report({"constraint-without-name",
                 "the server makes up its name, so a later file cannot name it with certainty (no "
                 "lock is involved)",
                 fmt::format("ALTER TABLE {} ADD CONSTRAINT NAME {};",
                             LintWalk::sql_name(child(body, "relation")), walk.clause(constraint)),
                 "", walk.place_of(constraint)});
  });
  each_command(body, [&](const std::string& subtype, const Json& command) {
    if (subtype != "AT_DropNotNull") return;
    walk.report({"drop-not-null",
                 fmt::format("a running application may not expect {} to be null (the ACCESS "
                             "EXCLUSIVE lock is short)",
                             text_of(command, "name")),
                 "-- Release an application that copes with null first."});
  });
}

/// Only where a statement may run twice: a file without a transaction that was killed between a
/// statement and the record of it.
void judge_robust(LintWalk& walk) {
  if (walk.in_transaction) return;
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  const char* after = nullptr;
  const char* words = "IF NOT EXISTS";
  if (kind == "CreateStmt" && !flag(body, "if_not_exists")) after = "table";
  if (kind == "CreateSchemaStmt" && !flag(body, "if_not_exists")) after = "schema";
  if (kind == "CreateExtensionStmt" && !flag(body, "if_not_exists")) after = "extension";
  if (kind == "CreateSeqStmt" && !flag(body, "if_not_exists")) after = "sequence";
  if (kind == "AlterEnumStmt" && text_of(body, "oldVal").empty() &&
      !flag(body, "skipIfNewValExists")) {
    after = "value";
  }
  if (kind == "DropStmt" && !flag(body, "missing_ok")) {
    const auto type = text_of(body, "removeType");
    words = "IF EXISTS";
    if (type == "OBJECT_TABLE") after = "table";
    if (type == "OBJECT_INDEX") after = flag(body, "concurrent") ? "concurrently" : "index";
    if (type == "OBJECT_VIEW") after = "view";
    if (type == "OBJECT_SEQUENCE") after = "sequence";
    if (type == "OBJECT_TYPE") after = "type";
  }
  if (kind == "AlterTableStmt") {
    each_command(body, [&](const std::string& subtype, const Json& command) {
      if (flag(command, "missing_ok")) return;
      if (subtype == "AT_AddColumn") after = "column";
      if (subtype == "AT_DropColumn" || subtype == "AT_DropConstraint") {
        after = subtype == "AT_DropColumn" ? "column" : "constraint";
        words = "IF EXISTS";
      }
    });
  }
  if (after == nullptr) return;
  walk.report({"prefer-robust-statements",
               fmt::format("a run that is killed right behind this statement runs it again, and it "
                           "then fails without {} (no lock is involved)",
                           words),
               walk.with_words(after, words)});
}

}  // namespace

void judge_style(LintWalk& walk) {
  judge_types(walk);
  judge_constraint_names(walk);
  judge_robust(walk);
}

}  // namespace pantryd::migrate
