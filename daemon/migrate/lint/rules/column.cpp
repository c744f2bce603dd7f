// Columns: added, retyped and made NOT NULL without a rewrite or a scan under a lock.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

/// What the server works out once for all rows. Whatever is not here may be volatile.
bool is_stable(const std::string& function) {
  static constexpr std::array names{"now",
                                    "statement_timestamp",
                                    "transaction_timestamp",
                                    "current_setting",
                                    "lower",
                                    "upper",
                                    "md5",
                                    "date_trunc",
                                    "to_timestamp",
                                    "timezone",
                                    "make_date",
                                    "make_interval",
                                    "make_timestamptz",
                                    "to_date",
                                    "to_char",
                                    "concat",
                                    "length",
                                    "abs",
                                    "round",
                                    "coalesce",
                                    "jsonb_build_object",
                                    "jsonb_build_array",
                                    "array_fill",
                                    "int4range",
                                    "tstzrange",
                                    "to_jsonb",
                                    "version",
                                    "current_database",
                                    "date_part",
                                    "repeat"};
  return std::find(names.begin(), names.end(), function) != names.end();
}

std::string volatile_function(const Json& expression) {
  std::string out;
  visit(expression, [&](const std::string& kind, const Json& node) {
    if (kind != "FuncCall") return;
    const auto name = last_name(child(node, "funcname"));
    if (!is_stable(name)) out = name;
  });
  return out;
}

struct AddedColumn {
  std::string table;
  std::string name;
  std::string type;
  bool not_null = false;
  const Json* fallback = nullptr;  ///< the DEFAULT's expression
  bool filled = false;             ///< identity, serial or generated: never null
};

std::string batches(const AddedColumn& column, const std::string& value) {
  return fmt::format(
      "-- then fill it in batches, each its own transaction, until none is left:\n"
      "UPDATE {0} SET {1} = {2}\n"
      " WHERE ctid = ANY (ARRAY(SELECT ctid FROM {0} WHERE {1} IS NULL LIMIT 10000));",
      column.table, column.name, value);
}

std::string make_not_null(const std::string& table, const std::string& column, int target_major) {
  if (target_major >= 18) {
    return fmt::format(
        "ALTER TABLE {0} ADD CONSTRAINT {2} NOT NULL {1} NOT VALID;\n"
        "-- in a later file:\nALTER TABLE {0} VALIDATE CONSTRAINT {2};",
        table, column, quote_name(joined({column, "not_null"})));
  }
  return fmt::format(
      "ALTER TABLE {0} ADD CONSTRAINT {2} CHECK ({1} IS NOT NULL) NOT VALID;\n"
      "-- in a later file:\nALTER TABLE {0} VALIDATE CONSTRAINT {2};\n"
      "-- and then, without a scan:\nALTER TABLE {0} ALTER COLUMN {1} SET NOT NULL;\n"
      "ALTER TABLE {0} DROP CONSTRAINT {2};",
      table, column, quote_name(joined({column, "not_null"})));
}

AddedColumn read_column(const LintWalk& walk, const Json& body, const Json& definition) {
  AddedColumn out{LintWalk::sql_name(child(body, "relation")),
                  quote_name(text_of(definition, "colname")), walk.type_text(definition)};
  const auto& constraints = child(definition, "constraints");
  if (!constraints.is_array()) return out;
  for (const auto& each : constraints) {
    const auto& constraint = child(each, "Constraint");
    const auto type = text_of(constraint, "contype");
    out.not_null = out.not_null || type == "CONSTR_NOTNULL" || type == "CONSTR_PRIMARY";
    out.filled = out.filled || type == "CONSTR_IDENTITY" || type == "CONSTR_GENERATED";
    if (type == "CONSTR_DEFAULT") out.fallback = &child(constraint, "raw_expr");
  }
  return out;
}

bool is_null_constant(const Json& expression) {
  const auto* inner = &expression;
  while (inner->is_object() && inner->contains("TypeCast")) {
    inner = &child(child(*inner, "TypeCast"), "arg");
  }
  return flag(child(*inner, "A_Const"), "isnull");
}

void rewriting_column(LintWalk& walk, const Json& definition, const AddedColumn& column,
                      const std::string& table) {
  const auto type = column_type(child(definition, "typeName")).name;
  const bool serial = type.find("serial") != std::string::npos;
  bool identity = false;
  bool generated = false;
  const auto& constraints = child(definition, "constraints");
  if (constraints.is_array()) {
    for (const auto& each : constraints) {
      const auto contype = text_of(child(each, "Constraint"), "contype");
      identity = identity || contype == "CONSTR_IDENTITY";
      generated = generated || contype == "CONSTR_GENERATED";
    }
  }
  const auto at = walk.place_of(definition);
  if (serial || identity) {
    const auto integer = serial ? std::string("bigint") : column.type;
    const auto sequence = quote_name(text_of(child(walk.current->body, "relation"), "relname") +
                                     "_" + text_of(definition, "colname") + "_seq");
    walk.report(
        {"add-column-serial",
         fmt::format("ACCESS EXCLUSIVE lock while every row of {} is rewritten with a number",
                     table),
         fmt::format("CREATE SEQUENCE {3};\nALTER TABLE {0} ADD COLUMN {1} {2};\n"
                     "ALTER TABLE {0} ALTER COLUMN {1} SET DEFAULT nextval('{3}');\n{4}",
                     column.table, column.name, integer, sequence,
                     batches(column, fmt::format("nextval('{}')", sequence))),
         table, at});
  }
  if (!generated) return;
  walk.report(
      {"add-column-generated-stored",
       fmt::format("ACCESS EXCLUSIVE lock while every row of {} is rewritten with the value",
                   table),
       fmt::format("ALTER TABLE {0} ADD COLUMN {1} {2};\n"
                   "-- keep it right with a BEFORE INSERT OR UPDATE trigger, and\n{3}",
                   column.table, column.name, column.type, batches(column, "(...)")),
       table, at});
}

void add_column(LintWalk& walk, const Json& body, const Json& definition) {
  const auto table = LintWalk::key(child(body, "relation"));
  const auto column = read_column(walk, body, definition);
  const auto at = walk.place_of(definition);
  rewriting_column(walk, definition, column, table);
  const bool serial =
      column_type(child(definition, "typeName")).name.find("serial") != std::string::npos;
  if (column.fallback != nullptr) {
    const auto function = volatile_function(*column.fallback);
    if (!function.empty()) {
      const auto value =
          walk.sql.slice(walk.place_of(child(*column.fallback, "FuncCall")),
                         walk.sql.clause_end(walk.place_of(child(*column.fallback, "FuncCall"))));
      const auto call = child(*column.fallback, "FuncCall").is_object()
                            ? std::string(value.substr(0, value.find(')') + 1))
                            : function + "()";
      walk.report({"add-column-volatile-default",
                   fmt::format("ACCESS EXCLUSIVE lock while every row of {} is rewritten, because "
                               "{}() is not known to give one value for all rows",
                               table, function),
                   fmt::format("ALTER TABLE {0} ADD COLUMN {1} {2};\n"
                               "ALTER TABLE {0} ALTER COLUMN {1} SET DEFAULT {3};\n{4}",
                               column.table, column.name, column.type, call, batches(column, call)),
                   table, at});
    }
  }
  const bool empty = column.fallback == nullptr || is_null_constant(*column.fallback);
  if (column.not_null && empty && !column.filled && !serial) {
    walk.report(
        {"add-column-not-null-without-default",
         fmt::format("it fails as soon as {} has a row (23502), after waiting for an ACCESS "
                     "EXCLUSIVE lock",
                     table),
         fmt::format("ALTER TABLE {} ADD COLUMN {} {};\n{}\n-- in a later file:\n{}", column.table,
                     column.name, column.type, batches(column, "..."),
                     make_not_null(column.table, column.name, walk.input.target_major)),
         table, at});
  }
}

void set_not_null(LintWalk& walk, const Json& body, const std::string& column) {
  const auto table = LintWalk::key(child(body, "relation"));
  const auto* facts = walk.known(table);
  if (facts != nullptr) {
    for (const auto& [name, check] : facts->constraints) {
      if (check.is_check && check.validated && check.not_null.count(column) > 0) return;
    }
  }
  walk.report(
      {"set-not-null-without-validated-check",
       fmt::format("ACCESS EXCLUSIVE lock while all of {} is read to look for nulls", table),
       make_not_null(LintWalk::sql_name(child(body, "relation")), quote_name(column),
                     walk.input.target_major),
       table});
}

/// True when the change neither rewrites the table nor checks its rows. Source: the manual of
/// ALTER TABLE ("binary coercible") and the length-coercion functions that PostgreSQL skips.
bool is_free_change(const ColumnType& from, const ColumnType& to) {
  const auto length = [](const ColumnType& type, std::int64_t none) {
    return type.modifiers.empty() ? none : type.modifiers[0];
  };
  constexpr std::int64_t unlimited = 1LL << 40;
  if (to.name == "text") return from.name == "varchar" || from.name == "text";
  if (to.name == "varchar") {
    if (from.name == "text") return to.modifiers.empty();
    return from.name == "varchar" && length(to, unlimited) >= length(from, unlimited);
  }
  if (to.name == "numeric" && from.name == "numeric") {
    if (to.modifiers.empty()) return true;
    if (from.modifiers.empty()) return false;
    const auto scale = [](const ColumnType& type) {
      return type.modifiers.size() > 1 ? type.modifiers[1] : 0;
    };
    return scale(from) == scale(to) && to.modifiers[0] >= from.modifiers[0];
  }
  if (to.name == "varbit" && from.name == "varbit") {
    return length(to, unlimited) >= length(from, unlimited);
  }
  if (to.name == "inet") return from.name == "cidr";
  if (to.name == "timestamptz" || to.name == "timestamp") {
    return from.name == to.name && length(to, 6) >= length(from, 6);
  }
  return from.name == to.name && from.modifiers == to.modifiers;
}

void change_type(LintWalk& walk, const Json& body, const Json& command) {
  const auto table = LintWalk::key(child(body, "relation"));
  const auto column = text_of(command, "name");
  const auto& definition = child(child(command, "def"), "ColumnDef");
  const auto to = column_type(child(definition, "typeName"));
  if (const auto* facts = walk.known(table); facts != nullptr) {
    const auto from = facts->columns.find(column);
    const bool converted = child(definition, "raw_default").is_object();
    if (from != facts->columns.end() && !converted && is_free_change(from->second, to)) return;
  }
  const auto begin = walk.place_of(child(definition, "typeName"));
  auto type = std::string(walk.sql.slice(begin, walk.sql.clause_end(begin)));
  for (auto i = walk.sql.token_at(begin); i < walk.sql.tokens().size(); ++i) {
    if (walk.sql.tokens()[i].begin >= walk.current->end) break;
    if (!walk.sql.is_word(i, "using")) continue;
    type = std::string(
        walk.sql.slice(begin, std::min(begin + type.size(), walk.sql.tokens()[i].begin)));
    break;
  }
  AddedColumn next{LintWalk::sql_name(child(body, "relation")), quote_name(column + "_new"), type};
  walk.report({"change-column-type",
               fmt::format("ACCESS EXCLUSIVE lock while {} and its indexes are rewritten; only a "
                           "varchar that grows or becomes text is known to be free",
                           table),
               fmt::format("ALTER TABLE {0} ADD COLUMN {1} {2};\n"
                           "-- keep both alike with a BEFORE INSERT OR UPDATE trigger, and\n{3}\n"
                           "-- then let the application use {1}, and drop {4} in a later file",
                           next.table, next.name, type, batches(next, quote_name(column)),
                           quote_name(column)),
               table});
}

}  // namespace

void judge_columns(LintWalk& walk) {
  const auto& body = walk.current->body;
  if (walk.current->kind != "AlterTableStmt") return;
  if (walk.is_new(LintWalk::key(child(body, "relation")))) return;
  each_command(body, [&](const std::string& subtype, const Json& command) {
    if (subtype == "AT_AddColumn") {
      add_column(walk, body, child(child(command, "def"), "ColumnDef"));
    } else if (subtype == "AT_SetNotNull") {
      set_not_null(walk, body, text_of(command, "name"));
    } else if (subtype == "AT_AlterColumnType") {
      change_type(walk, body, command);
    }
  });
}

}  // namespace pantryd::migrate
