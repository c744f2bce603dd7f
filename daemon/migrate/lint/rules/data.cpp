// Rows changed by a migration: never all at once, and never under the lock of an ALTER.
#include <fmt/format.h>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

/// "id = 5", alone or with others under AND: it touches a row, not a table.
bool is_point(const Json& where) {
  const auto& boolean = child(where, "BoolExpr");
  if (text_of(boolean, "boolop") == "AND_EXPR") {
    for (const auto& each : child(boolean, "args")) {
      if (is_point(each)) return true;
    }
    return false;
  }
  const auto& test = child(where, "A_Expr");
  if (text_of(test, "kind") != "AEXPR_OP" || last_name(child(test, "name")) != "=") return false;
  const auto column = last_name(child(child(child(test, "lexpr"), "ColumnRef"), "fields"));
  const auto* right = &child(test, "rexpr");
  while (right->contains("TypeCast")) right = &child(child(*right, "TypeCast"), "arg");
  return right->contains("A_Const") &&
         (column == "id" || (column.size() > 3 && column.substr(column.size() - 3) == "_id"));
}

/// A sub-select with LIMIT: a batch already.
bool is_batch(const Json& where) {
  bool out = false;
  visit(where, [&](const std::string& kind, const Json& node) {
    out = out || (kind == "SelectStmt" && child(node, "limitCount").is_object());
  });
  return out;
}

void bulk_change(LintWalk& walk, const std::string& table) {
  walk.transaction.bulk_changed.insert(table);
  if (!walk.in_transaction || walk.transaction.locked.empty()) return;
  const auto locked = *walk.transaction.locked.begin();
  walk.report({"backfill-with-ddl",
               fmt::format("it changes rows while the transaction holds the lock of its DDL, often "
                           "ACCESS EXCLUSIVE, on {}, until the last row is done",
                           locked),
               LintWalk::later(walk.text() + ";"), table});
}

void change_rows(LintWalk& walk, const Json& body, bool update) {
  const auto& relation = child(body, "relation");
  const auto table = LintWalk::key(relation);
  const auto& where = child(body, "whereClause");
  if (walk.is_new(table) || is_point(where) || is_batch(where)) return;
  const auto name = LintWalk::sql_name(relation);
  const auto batch = fmt::format(
      "-- in batches, each its own transaction, until none is left:\n"
      "{} {}{}\n WHERE ctid = ANY (ARRAY(SELECT ctid FROM {} WHERE {} LIMIT 10000));",
      update ? "UPDATE" : "DELETE FROM", name, update ? " SET ..." : "", name,
      where.is_object() ? "..." : "(what is still to do)");
  if (!where.is_object()) {
    walk.report(
        {update ? "update-without-where" : "delete-without-where",
         fmt::format("ROW EXCLUSIVE lock on {0} and a lock on each of its rows until all are "
                     "{1}, with as many dead rows left behind",
                     table, update ? "changed" : "gone"),
         batch, table});
  } else {
    walk.report(
        {"backfill-not-batched",
         fmt::format("every row of {} that it finds stays locked (ROW EXCLUSIVE lock on the "
                     "table) until the last is done",
                     table),
         batch, table});
  }
  bulk_change(walk, table);
}

void insert_rows(LintWalk& walk, const Json& body) {
  const auto table = LintWalk::key(child(body, "relation"));
  const auto& select = child(child(body, "selectStmt"), "SelectStmt");
  const auto& sources = child(select, "fromClause");
  if (walk.is_new(table) || !sources.is_array() || sources.empty()) return;
  if (child(select, "limitCount").is_object()) return;
  bool reads_table = false;
  for (const auto& each : sources) {
    reads_table = reads_table || each.contains("RangeVar") || each.contains("JoinExpr");
  }
  if (reads_table) bulk_change(walk, table);
}

void create_as(LintWalk& walk, const Json& body) {
  const auto& into = child(body, "into");
  if (flag(into, "skipData") || text_of(child(into, "rel"), "relpersistence") == "t") return;
  std::string source;
  visit(child(body, "query"), [&](const std::string& kind, const Json& node) {
    if (kind == "RangeVar" && !walk.is_new(LintWalk::key(node))) source = LintWalk::key(node);
  });
  if (source.empty() || text_of(body, "objtype") != "OBJECT_TABLE") return;
  walk.report(
      {"create-table-as",
       fmt::format("{} is read whole in one transaction (ACCESS SHARE lock), which keeps "
                   "vacuum from cleaning anything until it is done",
                   source),
       fmt::format("CREATE TABLE {} (...);\n-- then copy in batches:\nINSERT INTO {} SELECT "
                   "... FROM {} WHERE ... LIMIT 10000;",
                   LintWalk::sql_name(child(into, "rel")), LintWalk::sql_name(child(into, "rel")),
                   source),
       source});
}

void copy(LintWalk& walk, const Json& body) {
  if (!text_of(body, "filename").empty()) return;
  walk.report(
      {"psql-only",
       flag(body, "is_from")
           ? "COPY FROM STDIN takes its rows from psql, and a migration has nobody to send them"
           : "COPY TO STDOUT gives its rows to psql, and a migration has nobody to take them",
       flag(body, "is_from") ? fmt::format("INSERT INTO {} VALUES (...), (...);",
                                           LintWalk::sql_name(child(body, "relation")))
                             : ""});
}

}  // namespace

void judge_data(LintWalk& walk) {
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  if (kind == "UpdateStmt") change_rows(walk, body, true);
  if (kind == "DeleteStmt") change_rows(walk, body, false);
  if (kind == "InsertStmt") insert_rows(walk, body);
  if (kind == "CreateTableAsStmt") create_as(walk, body);
  if (kind == "CopyStmt") copy(walk, body);
}

}  // namespace pantryd::migrate
