// Whole tables: rewrites, explicit locks, maintenance commands, triggers.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

/// Commands whose lock lets reads and writes go on. Source: the manual of ALTER TABLE.
bool is_gentle(const std::string& subtype) {
  static constexpr std::array gentle{
      "AT_ValidateConstraint", "AT_SetStatistics", "AT_SetRelOptions",
      "AT_ResetRelOptions",    "AT_SetOptions",    "AT_ResetOptions",
      "AT_ClusterOn",          "AT_DropCluster",   "AT_AttachPartition"};
  return std::any_of(gentle.begin(), gentle.end(),
                     [&](const char* each) { return subtype == each; });
}

std::string copy_and_swap(const std::string& table) {
  return fmt::format(
      "-- pg_repack, or copy in batches into a new table and swap:\n"
      "CREATE TABLE {0}_new (LIKE {0} INCLUDING ALL);",
      table);
}

void rewrite_commands(LintWalk& walk, const Json& body, const std::string& table) {
  const auto name = LintWalk::sql_name(child(body, "relation"));
  each_command(body, [&](const std::string& subtype, const Json& command) {
    if (subtype == "AT_SetTableSpace") {
      walk.report(
          {"set-tablespace",
           fmt::format("ACCESS EXCLUSIVE lock while every byte of {} is copied", table),
           text_of(body, "objtype") == "OBJECT_INDEX"
               ? walk.alone(fmt::format("REINDEX (CONCURRENTLY, TABLESPACE {}) INDEX {};",
                                        quote_name(text_of(command, "name")), name))
               : copy_and_swap(name) + fmt::format("\nALTER TABLE {}_new SET TABLESPACE {};", name,
                                                   quote_name(text_of(command, "name"))),
           table});
    } else if (subtype == "AT_SetLogged" || subtype == "AT_SetUnLogged") {
      walk.report(
          {"set-logged",
           fmt::format("ACCESS EXCLUSIVE lock while {} and its indexes are rewritten{}", table,
                       subtype == "AT_SetLogged" ? "" : ", and after that a crash empties it"),
           copy_and_swap(name), table});
    } else if (subtype == "AT_SetAccessMethod") {
      walk.report({"set-access-method",
                   fmt::format("ACCESS EXCLUSIVE lock while {} is rewritten", table),
                   copy_and_swap(name), table});
    } else if (subtype == "AT_DisableTrigAll" || subtype == "AT_DisableTrigUser") {
      walk.report(
          {"disable-trigger-all",
           fmt::format("SHARE ROW EXCLUSIVE lock on {}, and until they are enabled again for "
                       "everybody its {} are not checked",
                       table, subtype == "AT_DisableTrigAll" ? "foreign keys" : "triggers"),
           "-- for one session, which needs the right to set it:\n"
           "SET LOCAL session_replication_role = replica;"});
    } else if (subtype == "AT_ReplicaIdentity") {
      if (text_of(child(child(command, "def"), "ReplicaIdentityStmt"), "identity_type") != "f") {
        return;
      }
      walk.report({"replica-identity-full",
                   fmt::format("from then on each update and delete of {} writes the whole old row "
                               "to the log, under an ACCESS EXCLUSIVE lock to begin with",
                               table),
                   fmt::format("ALTER TABLE {} REPLICA IDENTITY USING INDEX UNIQUE_INDEX;", name),
                   table});
    }
  });
}

void alter_table(LintWalk& walk, const Json& body) {
  const auto table = LintWalk::key(child(body, "relation"));
  if (walk.is_new(table)) return;
  rewrite_commands(walk, body, table);
  bool strong = false;
  each_command(body, [&](const std::string& subtype, const Json&) {
    strong = strong || !is_gentle(subtype);
  });
  const auto type = text_of(body, "objtype");
  if (!strong || (type != "OBJECT_TABLE" && type != "OBJECT_FOREIGN_TABLE")) return;
  // Once a transaction is enough: at the second table.
  const auto& locked = walk.transaction.locked;
  const auto before = locked.size() == 1 ? *locked.begin() : std::string();
  walk.mark_locked(table);
  if (!walk.in_transaction || before.empty() || before == table) return;
  walk.report({"locks-many-tables",
               fmt::format("it locks {} while the transaction still holds its ACCESS EXCLUSIVE or "
                           "SHARE ROW EXCLUSIVE lock on {}: a query that takes them in the other "
                           "order deadlocks with it",
                           table, before),
               LintWalk::later(walk.text() + ";")});
}

void lock_table(LintWalk& walk, const Json& body) {
  static constexpr std::array names{
      "",      "ACCESS SHARE",        "ROW SHARE", "ROW EXCLUSIVE",   "SHARE UPDATE EXCLUSIVE",
      "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"};
  constexpr std::int64_t share = 5;
  const auto mode = number(body, "mode");
  if (mode < share || mode > 8) return;
  for (const auto& each : child(body, "relations")) {
    const auto table = LintWalk::key(child(each, "RangeVar"));
    if (walk.is_new(table)) continue;
    walk.report(
        {"lock-table-explicit",
         fmt::format("{} lock on {} until the transaction ends{}",
                     names[static_cast<std::size_t>(mode)], table,
                     mode == 8 ? ", even readers wait" : ", writers wait"),
         fmt::format("-- Lock the rows that matter:\nSELECT ... FROM {} WHERE ... FOR UPDATE;",
                     LintWalk::sql_name(child(each, "RangeVar"))),
         table});
    walk.mark_locked(table);
    return;
  }
}

void vacuum(LintWalk& walk, const Json& body) {
  const bool full = has_option(child(body, "options"), "full");
  if (flag(body, "is_vacuumcmd") && walk.in_transaction) {
    walk.report({"cannot-run-in-transaction",
                 "VACUUM fails inside a transaction (25001), and this file runs in one",
                 walk.alone(walk.text() + ";")});
  }
  if (!full) return;
  const auto& tables = child(body, "rels");
  const Json& first = tables.is_array() && !tables.empty()
                          ? child(child(tables[0], "VacuumRelation"), "relation")
                          : child(body, "none");
  const auto table = LintWalk::key(first);
  if (!table.empty() && walk.is_new(table)) return;
  walk.report({"vacuum-full",
               fmt::format("ACCESS EXCLUSIVE lock while {} is rewritten",
                           table.empty() ? "every table" : table),
               walk.alone(fmt::format("VACUUM (ANALYZE) {};\n-- to give space back: pg_repack",
                                      LintWalk::sql_name(first))),
               table});
}

void cluster(LintWalk& walk, const Json& body) {
  const auto table = LintWalk::key(child(body, "relation"));
  if (!table.empty() && walk.is_new(table)) return;
  walk.report({"cluster",
               fmt::format("ACCESS EXCLUSIVE lock while {} is rewritten in the order of an index",
                           table.empty() ? "every clustered table" : table),
               copy_and_swap(table.empty() ? "TABLE" : LintWalk::sql_name(child(body, "relation"))),
               table});
}

void refresh(LintWalk& walk, const Json& body) {
  const auto table = LintWalk::key(child(body, "relation"));
  if (walk.is_new(table) || flag(body, "concurrent")) return;
  const auto name = LintWalk::sql_name(child(body, "relation"));
  walk.report(
      {"refresh-matview-not-concurrent",
       fmt::format("ACCESS EXCLUSIVE lock: nobody can read {} until its query is done", table),
       flag(body, "skipData")
           ? "-- leave the old data readable:\nREFRESH MATERIALIZED VIEW CONCURRENTLY " + name + ";"
           : fmt::format("-- it needs a unique index on {0}:\n"
                         "REFRESH MATERIALIZED VIEW CONCURRENTLY {0};",
                         name),
       table});
}

void create_trigger(LintWalk& walk, const Json& body) {
  const auto table = LintWalk::key(child(body, "relation"));
  if (walk.is_new(table)) return;
  walk.mark_locked(table);
  walk.report(
      {"create-trigger",
       fmt::format("SHARE ROW EXCLUSIVE lock: writers of {} wait until the transaction ends",
                   table),
       "-- in a file of its own, so that the lock is short:\n" + walk.text() + ";", table});
}

void create_table(LintWalk& walk, const Json& body) {
  if (!child(body, "partbound").is_object()) return;
  const auto& parents = child(body, "inhRelations");
  if (!parents.is_array() || parents.empty()) return;
  const auto& parent = child(parents[0], "RangeVar");
  const auto table = LintWalk::key(parent);
  if (walk.is_new(table)) return;
  const auto name = LintWalk::sql_name(child(body, "relation"));
  const auto bounds = walk.place_of(child(body, "partbound"));
  walk.report({"create-partition-of",
               fmt::format("ACCESS EXCLUSIVE lock on {}, where ATTACH PARTITION takes only SHARE "
                           "UPDATE EXCLUSIVE",
                           table),
               fmt::format("CREATE TABLE {0} (LIKE {1} INCLUDING ALL);\n"
                           "ALTER TABLE {1} ATTACH PARTITION {0} {2};",
                           name, LintWalk::sql_name(parent),
                           walk.sql.slice(bounds, walk.sql.clause_end(bounds))),
               table});
}

}  // namespace

void judge_tables(LintWalk& walk) {
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  if (kind == "AlterTableStmt") alter_table(walk, body);
  if (kind == "LockStmt") lock_table(walk, body);
  if (kind == "VacuumStmt") vacuum(walk, body);
  if (kind == "ClusterStmt") cluster(walk, body);
  if (kind == "RefreshMatViewStmt") refresh(walk, body);
  if (kind == "CreateTrigStmt") create_trigger(walk, body);
  if (kind == "CreateStmt") create_table(walk, body);
}

}  // namespace pantryd::migrate
