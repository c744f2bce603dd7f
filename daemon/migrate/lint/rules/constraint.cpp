// Constraints: added without reading the table under a lock, validated in a transaction apart.
#include <fmt/format.h>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

struct Place {
  std::string table;  ///< its key
  std::string sql;    ///< its name as SQL
  std::string bare;   ///< without the schema
  std::size_t at;     ///< of the clause, bytes
};

std::string name_or(const Json& constraint, const std::string& made_up) {
  const auto given = text_of(constraint, "conname");
  return quote_name(given.empty() ? made_up : given);
}

/// "CONSTRAINT k CHECK (...)" without the part that names it.
std::string definition_of(const LintWalk& walk, const Json& constraint) {
  const auto begin = walk.place_of(constraint);
  auto first = walk.sql.token_at(begin);
  if (walk.sql.is_word(first, "constraint")) first += 2;
  if (first >= walk.sql.tokens().size()) return {};
  return std::string(walk.sql.slice(walk.sql.tokens()[first].begin,
                                    std::min(walk.sql.clause_end(begin), walk.current->end)));
}

std::string not_valid_then_validate(const Place& place, const std::string& name,
                                    const std::string& definition) {
  return fmt::format(
      "ALTER TABLE {0} ADD CONSTRAINT {1} {2} NOT VALID;\n"
      "-- in a later file:\nALTER TABLE {0} VALIDATE CONSTRAINT {1};",
      place.sql, name, definition);
}

void add_check(LintWalk& walk, const Place& place, const Json& constraint,
               const std::string& definition) {
  walk.report(
      {"add-check-without-not-valid",
       fmt::format("ACCESS EXCLUSIVE lock while all of {} is read to check its rows", place.table),
       not_valid_then_validate(place, name_or(constraint, place.bare + "_check"), definition),
       place.table, place.at});
}

void add_foreign_key(LintWalk& walk, const Place& place, const Json& constraint,
                     const std::vector<std::string>& columns, const std::string& definition) {
  const auto& target = child(constraint, "pktable");
  const auto other = LintWalk::key(target);
  walk.report(
      {"add-foreign-key-without-not-valid",
       fmt::format("SHARE ROW EXCLUSIVE lock on {} and {}: neither can be written to while "
                   "all of {} is checked",
                   place.table, other, place.table),
       not_valid_then_validate(
           place, name_or(constraint, place.bare + "_" + joined(columns) + "_fkey"), definition),
       place.table, place.at});
}

void add_by_index(LintWalk& walk, const Place& place, const Json& constraint,
                  const std::vector<std::string>& columns, bool primary) {
  if (!text_of(constraint, "indexname").empty()) return;
  const auto name = name_or(
      constraint, primary ? place.bare + "_pkey" : place.bare + "_" + joined(columns) + "_key");
  const char* word = primary ? "PRIMARY KEY" : "UNIQUE";
  walk.report({primary ? "add-primary-key" : "add-unique-constraint",
               fmt::format("ACCESS EXCLUSIVE lock on {} while its index is built", place.table),
               walk.alone(fmt::format(
                   "CREATE UNIQUE INDEX CONCURRENTLY {0} ON {1} ({2});\n"
                   "-- {5}:\n"
                   "ALTER TABLE {1} ADD CONSTRAINT {3} {4} USING INDEX {0};",
                   name, place.sql, column_list(columns), name, word,
                   primary ? "when every column is NOT NULL, in a later file" : "in a later file")),
               place.table, place.at});
}

void add_exclusion(LintWalk& walk, const Place& place, const Json& constraint) {
  walk.report({"add-exclusion-constraint",
               fmt::format("ACCESS EXCLUSIVE lock on {} while its index is built, and there is no "
                           "way to do that concurrently",
                           place.table),
               fmt::format("-- Make a new table with the constraint, and copy over in batches:\n"
                           "CREATE TABLE {0}_new (LIKE {0} INCLUDING ALL);\n"
                           "ALTER TABLE {0}_new ADD CONSTRAINT {1} {2};",
                           place.bare, name_or(constraint, place.bare + "_excl"),
                           definition_of(walk, constraint)),
               place.table, place.at});
}

void add_constraint(LintWalk& walk, const Place& place, const Json& constraint,
                    std::vector<std::string> columns, const std::string& definition) {
  const auto type = text_of(constraint, "contype");
  const bool not_valid = flag(constraint, "skip_validation");
  if (columns.empty()) {
    columns = names_of(child(constraint, type == "CONSTR_FOREIGN" ? "fk_attrs" : "keys"));
  }
  if (type == "CONSTR_CHECK" && !not_valid) add_check(walk, place, constraint, definition);
  if (type == "CONSTR_FOREIGN" && !not_valid) {
    add_foreign_key(walk, place, constraint, columns, definition);
  }
  if (type == "CONSTR_UNIQUE") add_by_index(walk, place, constraint, columns, false);
  if (type == "CONSTR_PRIMARY") add_by_index(walk, place, constraint, columns, true);
  if (type == "CONSTR_EXCLUSION") add_exclusion(walk, place, constraint);
}

void add_column_constraints(LintWalk& walk, const Place& place, const Json& column) {
  const auto& constraints = child(column, "constraints");
  if (!constraints.is_array()) return;
  const auto name = text_of(column, "colname");
  for (const auto& each : constraints) {
    const auto& constraint = child(each, "Constraint");
    auto definition = definition_of(walk, constraint);
    if (text_of(constraint, "contype") == "CONSTR_FOREIGN") {
      definition = fmt::format("FOREIGN KEY ({}) REFERENCES {}", quote_name(name),
                               LintWalk::sql_name(child(constraint, "pktable")));
      const auto attributes = names_of(child(constraint, "pk_attrs"));
      if (!attributes.empty()) definition += " (" + column_list(attributes) + ")";
    }
    add_constraint(walk, place, constraint, {name}, definition);
  }
}

void validate(LintWalk& walk, const Place& place, const std::string& name,
              bool locked_by_this_statement) {
  const auto added = walk.transaction.added_not_valid.count(place.table + " " + name) > 0;
  const bool locked =
      added || walk.transaction.locked.count(place.table) > 0 || locked_by_this_statement;
  if (!locked) return;
  walk.report({"validate-in-same-transaction",
               fmt::format("all of {} is read while the transaction still holds the lock of its "
                           "earlier ALTER, ACCESS EXCLUSIVE as a rule, so NOT VALID gained nothing",
                           place.table),
               LintWalk::later(fmt::format("ALTER TABLE {} VALIDATE CONSTRAINT {};", place.sql,
                                           quote_name(name))),
               place.table});
}

void attach(LintWalk& walk, const Place& place, const Json& command) {
  const auto& partition = child(child(command, "def"), "PartitionCmd");
  const auto& name = child(partition, "name");
  const auto table = LintWalk::key(name);
  if (walk.is_new(table)) return;
  if (const auto* facts = walk.known(table); facts != nullptr) {
    for (const auto& [each, check] : facts->constraints) {
      if (check.is_check && check.validated) return;
    }
  }
  const auto sql_name = LintWalk::sql_name(name);
  const auto check = quote_name(text_of(name, "relname") + "_bounds");
  walk.report(
      {"attach-partition-without-check",
       fmt::format("ACCESS EXCLUSIVE lock on {} while all of it is read to prove that its "
                   "rows belong there",
                   table),
       fmt::format("ALTER TABLE {0} ADD CONSTRAINT {1} CHECK (...the bounds...) NOT VALID;\n"
                   "-- in a later file:\nALTER TABLE {0} VALIDATE CONSTRAINT {1};\n"
                   "-- and then, without a scan:\n{2};\n"
                   "ALTER TABLE {0} DROP CONSTRAINT {1};",
                   sql_name, check, walk.text()),
       table, place.at});
}

void judge_domain(LintWalk& walk, const Json& body) {
  const auto type = text_of(body, "subtype");
  const auto& constraint = child(child(body, "def"), "Constraint");
  const auto names = names_of(child(body, "typeName"));
  const auto domain = LintWalk::sql_name(names);
  if (type == "O") {
    walk.report(
        {"add-domain-check-without-not-valid",
         fmt::format("SHARE lock on every table that uses {} while all of them are read", domain),
         fmt::format("ALTER DOMAIN {0} ADD CONSTRAINT {1} CHECK (VALUE IS NOT NULL) NOT "
                     "VALID;\n-- in a later file:\nALTER DOMAIN {0} VALIDATE CONSTRAINT {1};",
                     domain, quote_name(joined({names.back(), "not_null"})))});
  } else if (type == "C" && !flag(constraint, "skip_validation")) {
    const auto name = name_or(constraint, names.back() + "_check");
    walk.report(
        {"add-domain-check-without-not-valid",
         fmt::format("SHARE lock on every table that uses {} while all of them are read", domain),
         fmt::format("ALTER DOMAIN {0} ADD CONSTRAINT {1} {2} NOT VALID;\n"
                     "-- in a later file:\nALTER DOMAIN {0} VALIDATE CONSTRAINT {1};",
                     domain, name, definition_of(walk, constraint))});
  }
}

}  // namespace

void judge_constraints(LintWalk& walk) {
  const auto& body = walk.current->body;
  if (walk.current->kind == "AlterDomainStmt") judge_domain(walk, body);
  if (walk.current->kind != "AlterTableStmt") return;
  const auto& relation = child(body, "relation");
  Place place{LintWalk::key(relation), LintWalk::sql_name(relation), text_of(relation, "relname"),
              Report::kHere};
  const bool is_new = walk.is_new(place.table);
  bool locked = false;
  each_command(body, [&](const std::string& subtype, const Json& command) {
    // ALTER INDEX ... ATTACH PARTITION has nothing to read.
    if (subtype == "AT_AttachPartition" && text_of(body, "objtype") == "OBJECT_TABLE") {
      attach(walk, place, command);
    }
    if (is_new) return;
    const auto& definition = child(command, "def");
    if (subtype == "AT_AddConstraint") {
      const auto& constraint = child(definition, "Constraint");
      auto here = place;
      here.at = walk.place_of(constraint);
      add_constraint(walk, here, constraint, {}, definition_of(walk, constraint));
    } else if (subtype == "AT_AddColumn") {
      const auto& column = child(definition, "ColumnDef");
      auto here = place;
      here.at = walk.place_of(column);
      add_column_constraints(walk, here, column);
    } else if (subtype == "AT_ValidateConstraint") {
      validate(walk, place, text_of(command, "name"), locked);
    }
    locked = locked || subtype != "AT_ValidateConstraint";
  });
}

}  // namespace pantryd::migrate
