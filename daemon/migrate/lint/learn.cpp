// What a statement leaves behind for those after it: new tables, types of columns, checks.
#include <algorithm>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

void learn_constraint(const Json& constraint, const std::string& table, TableFacts& facts) {
  const auto type = text_of(constraint, "contype");
  if (type != "CONSTR_CHECK" && type != "CONSTR_FOREIGN") return;
  CheckFacts check;
  check.is_check = type == "CONSTR_CHECK";
  check.not_null = columns_not_null(child(constraint, "raw_expr"));
  check.validated = !flag(constraint, "skip_validation");
  auto name = text_of(constraint, "conname");
  if (name.empty()) {
    // As PostgreSQL names it, as far as the tree tells.
    const auto middle = check.not_null.size() == 1 ? "_" + *check.not_null.begin() : "";
    name = table.substr(table.rfind('.') + 1) + middle + "_check";
  }
  facts.constraints[name] = check;
}

void learn_column(const Json& column, const std::string& table, TableFacts& facts) {
  facts.columns[text_of(column, "colname")] = column_type(child(column, "typeName"));
  const auto& constraints = child(column, "constraints");
  if (!constraints.is_array()) return;
  for (const auto& each : constraints) learn_constraint(child(each, "Constraint"), table, facts);
}

void learn_create(LintWalk& walk, const Json& body) {
  const auto& relation = child(body, "relation");
  const auto table = LintWalk::key(relation);
  // IF NOT EXISTS over a table that is there makes nothing.
  if (!flag(body, "if_not_exists") || walk.input.sizes.count(table) == 0) {
    walk.new_tables_.insert(table);
  }
  auto& facts = walk.facts(table);
  facts = {};
  facts.partitioned = child(body, "partspec").is_object();
  const auto& elements = child(body, "tableElts");
  if (!elements.is_array()) return;
  for (const auto& each : elements) {
    if (each.contains("ColumnDef")) learn_column(child(each, "ColumnDef"), table, facts);
    if (each.contains("Constraint")) learn_constraint(child(each, "Constraint"), table, facts);
  }
}

void learn_alter(LintWalk& walk, const Json& body) {
  const auto table = LintWalk::key(child(body, "relation"));
  auto& facts = walk.facts(table);
  each_command(body, [&](const std::string& subtype, const Json& command) {
    const auto& definition = child(command, "def");
    const auto name = text_of(command, "name");
    if (subtype == "AT_AddColumn") {
      learn_column(child(definition, "ColumnDef"), table, facts);
    } else if (subtype == "AT_AddConstraint") {
      const auto& constraint = child(definition, "Constraint");
      learn_constraint(constraint, table, facts);
      if (flag(constraint, "skip_validation")) {
        walk.transaction.added_not_valid.insert(table + " " + text_of(constraint, "conname"));
      }
    } else if (subtype == "AT_AlterColumnType") {
      facts.columns[name] = column_type(child(child(definition, "ColumnDef"), "typeName"));
    } else if (subtype == "AT_ValidateConstraint") {
      facts.constraints[name].validated = true;
    } else if (subtype == "AT_DropConstraint") {
      facts.constraints.erase(name);
    } else if (subtype == "AT_DropColumn") {
      facts.columns.erase(name);
    }
  });
}

void learn_rename(LintWalk& walk, const Json& body) {
  const auto type = text_of(body, "renameType");
  const auto& relation = child(body, "relation");
  const auto table = LintWalk::key(relation);
  const auto to = text_of(body, "newname");
  if (type == "OBJECT_TABLE") {
    const auto renamed =
        LintWalk::key(std::vector<std::string>{text_of(relation, "schemaname"), to});
    if (walk.new_tables_.erase(table) > 0) walk.new_tables_.insert(renamed);
    auto moved = walk.facts(table);
    walk.facts(table) = {};
    walk.facts(renamed) = std::move(moved);
  } else if (type == "OBJECT_COLUMN") {
    auto node = walk.facts(table).columns.extract(text_of(body, "subname"));
    if (node.empty()) return;
    node.key() = to;
    walk.facts(table).columns.insert(std::move(node));
  }
}

}  // namespace

std::set<std::string> columns_not_null(const Json& expression) {
  std::set<std::string> out;
  const auto& test = child(expression, "NullTest");
  if (text_of(test, "nulltesttype") == "IS_NOT_NULL") {
    const auto& fields = child(child(child(test, "arg"), "ColumnRef"), "fields");
    if (const auto name = last_name(fields); !name.empty()) out.insert(name);
  }
  const auto& boolean = child(expression, "BoolExpr");
  if (text_of(boolean, "boolop") == "AND_EXPR") {
    for (const auto& each : child(boolean, "args")) out.merge(columns_not_null(each));
  }
  return out;
}

void each_command(const Json& alter_table,
                  const std::function<void(const std::string&, const Json&)>& seen) {
  const auto& commands = child(alter_table, "cmds");
  if (!commands.is_array()) return;
  for (const auto& each : commands) {
    const auto& command = child(each, "AlterTableCmd");
    seen(text_of(command, "subtype"), command);
  }
}

std::string column_list(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + quote_name(name);
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : "_") + name;
  return out;
}

void learn(LintWalk& walk) {
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  if (kind == "CreateStmt") {
    learn_create(walk, body);
  } else if (kind == "AlterTableStmt") {
    learn_alter(walk, body);
  } else if (kind == "RenameStmt") {
    learn_rename(walk, body);
  } else if (kind == "CreateTableAsStmt") {
    walk.new_tables_.insert(LintWalk::key(child(child(body, "into"), "rel")));
  } else if (kind == "IndexStmt" && walk.is_new(LintWalk::key(child(body, "relation")))) {
    walk.new_indexes.insert(text_of(body, "idxname"));
  } else if (kind == "CreateEnumStmt") {
    walk.transaction.new_types.insert(LintWalk::key(names_of(child(body, "typeName"))));
  } else if (kind == "AlterEnumStmt" && text_of(body, "oldVal").empty()) {
    const auto type = LintWalk::key(names_of(child(body, "typeName")));
    if (walk.transaction.new_types.count(type) == 0) {
      walk.transaction.enum_values.insert(text_of(body, "newVal"));
    }
  }
}

}  // namespace pantryd::migrate
