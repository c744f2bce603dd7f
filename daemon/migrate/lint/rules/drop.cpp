// What the running application still uses: columns and tables dropped, renamed or emptied.
#include <fmt/format.h>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

std::vector<std::string> object_names(const Json& object) {
  if (object.contains("List")) return names_of(child(child(object, "List"), "items"));
  return {text_of(child(object, "String"), "sval")};
}

void drop(LintWalk& walk, const Json& body) {
  const auto type = text_of(body, "removeType");
  const bool table =
      type == "OBJECT_TABLE" || type == "OBJECT_FOREIGN_TABLE" || type == "OBJECT_MATVIEW";
  bool all_new = table;
  std::string first;
  std::string first_sql;
  for (const auto& each : child(body, "objects")) {
    const auto names = object_names(each);
    const auto key = LintWalk::key(names);
    if (table && walk.is_new(key)) continue;
    all_new = false;
    if (first.empty()) {
      first = key;
      first_sql = LintWalk::sql_name(names);
    }
    if (table) walk.mark_locked(key);
  }
  if (!all_new && text_of(body, "behavior") == "DROP_CASCADE") {
    walk.report({"drop-cascade",
                 "CASCADE also drops views, foreign keys and whatever else depends on it, unseen, "
                 "each under an ACCESS EXCLUSIVE lock",
                 "-- Drop each dependent object by name, then this without CASCADE."});
  }
  if (table && !first.empty()) {
    walk.report(
        {"drop-table",
         fmt::format("its rows are gone for good, a running application that still uses {} "
                     "fails, and its foreign keys lock other tables in ACCESS EXCLUSIVE mode",
                     first),
         fmt::format("-- first stop using it; then make the way back short:\n"
                     "ALTER TABLE {0} RENAME TO {1};\n"
                     "-- weeks later, with a backup at hand and an allow:\nDROP TABLE {1};",
                     first_sql, quote_name(first.substr(first.rfind('.') + 1) + "_unused"))});
  }
  if (type == "OBJECT_SCHEMA") {
    walk.report({"drop-schema",
                 fmt::format("everything in the schema {} is gone for good, under ACCESS EXCLUSIVE "
                             "locks on all of it",
                             first),
                 "-- Drop its objects one by one, after the application stopped using them."});
  }
}

void drop_column(LintWalk& walk, const Json& body, const Json& command) {
  const auto table = LintWalk::key(child(body, "relation"));
  const auto column = text_of(command, "name");
  walk.report({"drop-column",
               fmt::format("statements of a running application that name {}.{} fail, and the data "
                           "is gone for good; the ACCESS EXCLUSIVE lock itself is short",
                           table, column),
               fmt::format("-- first release an application that does not name it, and let it be "
                           "null:\nALTER TABLE {0} ALTER COLUMN {1} DROP NOT NULL;\n"
                           "-- later, with an allow:\nALTER TABLE {0} DROP COLUMN {1};",
                           LintWalk::sql_name(child(body, "relation")), quote_name(column))});
  if (text_of(command, "behavior") == "DROP_CASCADE") {
    walk.report(
        {"drop-cascade",
         "CASCADE also drops views and constraints that depend on the column, unseen, under "
         "ACCESS EXCLUSIVE locks",
         "-- Drop each dependent object by name, then the column without CASCADE."});
  }
}

void rename_column(LintWalk& walk, const Json& relation, const std::string& from,
                   const std::string& to) {
  const auto table = LintWalk::key(relation);
  walk.report(
      {"rename-column",
       fmt::format("a running application that still says {}.{} fails from the moment the "
                   "ACCESS EXCLUSIVE lock is released",
                   table, from),
       fmt::format("ALTER TABLE {0} ADD COLUMN {2} ...;\n"
                   "-- keep both alike with a BEFORE INSERT OR UPDATE trigger and copy in "
                   "batches:\nUPDATE {0} SET {2} = {1}\n"
                   " WHERE ctid = ANY (ARRAY(SELECT ctid FROM {0} WHERE {2} IS DISTINCT "
                   "FROM {1} LIMIT 10000));\n"
                   "-- release the application that says {2}, then drop {1} in a later file",
                   LintWalk::sql_name(relation), quote_name(from), quote_name(to))});
}

void rename(LintWalk& walk, const Json& body) {
  const auto type = text_of(body, "renameType");
  const auto& relation = child(body, "relation");
  const auto to = text_of(body, "newname");
  const auto table = LintWalk::key(relation);
  if (type == "OBJECT_SCHEMA") {
    walk.report({"rename-schema",
                 "every statement and search_path of a running application that names the schema "
                 "fails at once, whatever the lock",
                 "-- Make the new schema, with views over the tables of the old one."});
    return;
  }
  if (walk.is_new(table)) return;
  if (type == "OBJECT_COLUMN" && text_of(body, "relationType") != "OBJECT_TYPE") {
    walk.mark_locked(table);
    rename_column(walk, relation, text_of(body, "subname"), to);
  } else if (type == "OBJECT_TABLE" || type == "OBJECT_VIEW" || type == "OBJECT_MATVIEW") {
    walk.mark_locked(table);
    walk.report({"rename-table",
                 fmt::format("a running application that still says {} fails from the moment the "
                             "ACCESS EXCLUSIVE lock is released",
                             table),
                 fmt::format("-- both names work from one commit to the next:\nBEGIN;\n"
                             "ALTER TABLE {0} RENAME TO {1};\n"
                             "CREATE VIEW {0} AS SELECT * FROM {1};\nCOMMIT;\n"
                             "-- as one file with an allow; drop the view in a later one",
                             LintWalk::sql_name(relation), quote_name(to))});
  }
}

void truncate(LintWalk& walk, const Json& body) {
  for (const auto& each : child(body, "relations")) {
    const auto& relation = child(each, "RangeVar");
    const auto table = LintWalk::key(relation);
    if (walk.is_new(table)) continue;
    const bool cascade = text_of(body, "behavior") == "DROP_CASCADE";
    walk.report({"truncate",
                 fmt::format("ACCESS EXCLUSIVE lock, and all rows of {} are gone for good{}", table,
                             cascade ? ", with those of every table that references it" : ""),
                 fmt::format("-- delete what is meant, in batches, each its own transaction:\n"
                             "DELETE FROM {0} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {0} WHERE "
                             "... LIMIT 10000));",
                             LintWalk::sql_name(relation))});
    walk.mark_locked(table);
    return;
  }
}

}  // namespace

void judge_drops(LintWalk& walk) {
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  if (kind == "DropStmt") drop(walk, body);
  if (kind == "RenameStmt") rename(walk, body);
  if (kind == "TruncateStmt") truncate(walk, body);
  if (kind == "DropdbStmt") {
    walk.report({"drop-database", "the whole database is gone for good, and no lock asks twice",
                 "-- Not in a migration; by hand, with a backup that was restored once."});
  }
  if (kind == "DropOwnedStmt") {
    walk.report({"drop-owned",
                 "everything that the role owns is gone for good, under ACCESS EXCLUSIVE locks",
                 "REASSIGN OWNED BY ROLE TO ANOTHER;"});
  }
  if (kind != "AlterTableStmt" || walk.is_new(LintWalk::key(child(body, "relation")))) return;
  each_command(body, [&](const std::string& subtype, const Json& command) {
    if (subtype == "AT_DropColumn") drop_column(walk, body, command);
  });
}

}  // namespace pantryd::migrate
