// Invariants: every statement here has a lock_timeout of 100 ms and is read-only; size functions
// are called only on relations that nobody holds or wants exclusively, and when that changes
// between the look and the call, the planner's figures stand in.
#include "migrate/plan/look.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "migrate/run/limits.h"
#include "migrate/run/session_lock.h"
#include "migrate/sql/text.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

using std::chrono::seconds;

constexpr auto kLookLimit = seconds(15);  ///< beyond the statement_timeout below
constexpr Oid kFirstOwnOid = 16'384;      ///< FirstNormalObjectId

Deadline for_look() {
  return Deadline::in(kLookLimit);
}

template <typename Values>
std::string json_list(const Values& values) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& each : values) out.push_back(each);
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Relation read_relation(const pg::Result& rows, int row, int from) {
  Relation out;
  out.oid = rows.i64(row, from);
  out.schema = rows.text(row, from + 1);
  out.name = rows.text(row, from + 2);
  out.kind = rows.text(row, from + 3).empty() ? '?' : rows.text(row, from + 3)[0];
  out.table = rows.i64(row, from + 4);
  return out;
}

constexpr const char* kRelation =
    "c.oid::bigint, n.nspname, c.relname, c.relkind, coalesce(i.indrelid::bigint, 0) ";
constexpr const char* kOfRelation =
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid";

/// {}: what tells the bytes of member m, whose pg_class row is c.
constexpr const char* kWeigh = R"(
WITH RECURSIVE busy AS MATERIALIZED (
  SELECT DISTINCT relation FROM pg_catalog.pg_locks
  WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock' AND relation IS NOT NULL),
member(root, oid) AS (
  SELECT value::bigint::oid, value::bigint::oid FROM jsonb_array_elements_text($1::jsonb)
  UNION
  SELECT m.root, h.inhrelid FROM member m JOIN pg_catalog.pg_class p ON p.oid = m.oid
  JOIN pg_catalog.pg_inherits h ON h.inhparent = m.oid WHERE p.relkind IN ('p', 'I'))
SELECT m.root::bigint,
  sum({})::bigint,
  sum(CASE WHEN c.relkind IN ('r', 'm') AND (c.reltuples >= 0 OR s.n_live_tup > 0)
           THEN greatest(c.reltuples, s.n_live_tup) END)::bigint
FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.oid
LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm', 'i', 'S', 'p', 'I')
GROUP BY m.root)";

constexpr const char* kByPages =
    "(c.relpages + coalesce((SELECT sum(k.relpages) FROM pg_catalog.pg_index x "
    "JOIN pg_catalog.pg_class k ON k.oid = x.indexrelid WHERE x.indrelid = c.oid), 0) "
    "+ coalesce((SELECT k.relpages FROM pg_catalog.pg_class k WHERE k.oid = c.reltoastrelid), 0))"
    " * current_setting('block_size')::bigint";

std::string exact_bytes() {
  return fmt::format(
      "CASE WHEN c.oid IN (SELECT relation FROM busy) OR c.reltoastrelid IN (SELECT relation FROM "
      "busy) OR EXISTS (SELECT FROM pg_catalog.pg_index x WHERE x.indrelid IN (c.oid, "
      "c.reltoastrelid) AND x.indexrelid IN (SELECT relation FROM busy)) THEN {} "
      "WHEN c.relkind IN ('r', 'm', 'i', 'S') THEN pg_catalog.pg_total_relation_size(c.oid) END",
      kByPages);
}

// {}: kBlockerColumns.
constexpr const char* kHolders =
    "SELECT coalesce(l.pid, 0), {}, l.relation::bigint, l.mode, n.nspname, c.relname "
    "FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid "
    "JOIN pg_catalog.pg_class c ON c.oid = l.relation "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE l.granted AND l.locktype = 'relation' AND l.database = "
    "(SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) "
    "AND l.relation IN (SELECT value::bigint::oid FROM jsonb_array_elements_text($1::jsonb)) "
    "AND l.pid IS DISTINCT FROM $2::int AND l.pid IS DISTINCT FROM pg_backend_pid() "
    "ORDER BY a.xact_start, l.pid LIMIT 1000";

}  // namespace

std::string Relation::sql() const {
  return schema == "public" ? quote_name(name) : quote_name(schema) + "." + quote_name(name);
}

bool Relation::is_system() const {
  return oid < kFirstOwnOid || schema == "pg_catalog" || schema == "information_schema" ||
         schema.rfind("pg_toast", 0) == 0;
}

Look::Look(const pg::Conninfo& where, const StopFlag* stop)
    : connection_(pg::Connection::connect(where, Deadline::in(kConnectLimit),
                                          {.application_name = "pantryd migrate plan look",
                                           .settings = {{"lock_timeout", "100ms"},
                                                        {"statement_timeout", "10s"},
                                                        {"default_transaction_read_only", "on"}},
                                           .stop = stop})) {}

std::map<std::string, Relation> Look::resolve(const std::set<std::string>& names) {
  std::map<std::string, Relation> out;
  const auto rows = connection_.exec(
      fmt::format("SELECT w.name, {} FROM jsonb_array_elements_text($1::jsonb) w(name) "
                  "JOIN pg_catalog.pg_class c ON c.oid = to_regclass(w.name) {}",
                  kRelation, kOfRelation),
      pg::Params::of(json_list(names)), for_look());
  for (int i = 0; i < rows.rows(); ++i) {
    out[std::string(rows.text(i, 0))] = read_relation(rows, i, 1);
  }
  return out;
}

std::vector<HeldLock> Look::locks_of(int pid) {
  const auto rows = connection_.exec(
      "SELECT locktype, coalesce(database, 0)::bigint, coalesce(relation, 0)::bigint, mode FROM "
      "pg_catalog.pg_locks WHERE pid = $1::int AND granted",
      pg::Params::of(pid), for_look());
  std::vector<HeldLock> out;
  for (int i = 0; i < rows.rows(); ++i) {
    const auto type = rows.text(i, 0);
    const auto mode = lock_mode_of(rows.text(i, 3));
    if (type == "virtualxid" || type == "transactionid" || !mode) continue;
    HeldLock each;
    each.relation = type == "relation" && rows.i64(i, 1) != 0;
    each.other = !each.relation;
    each.oid = rows.i64(i, 2);
    each.mode = *mode;
    out.push_back(each);
  }
  return out;
}

std::map<Oid, Weight> Look::weigh(const std::set<Oid>& oids) {
  std::map<Oid, Weight> out;
  if (oids.empty()) return out;
  const auto params = pg::Params::of(json_list(oids));
  pg::Result rows;
  try {
    rows = connection_.exec(fmt::format(kWeigh, exact_bytes()), params, for_look());
  } catch (const pg::PgError& error) {
    if (error.failure() != pg::Failure::statement) throw;
    rows = connection_.exec(fmt::format(kWeigh, kByPages), params, for_look());
  }
  for (int i = 0; i < rows.rows(); ++i) {
    out[rows.i64(i, 0)] = {rows.maybe_i64(i, 1), rows.maybe_i64(i, 2)};
  }
  return out;
}

std::vector<PlanBlocker> Look::holders(const std::map<Oid, LockMode>& wanted, int own_pid) {
  std::vector<PlanBlocker> out;
  std::set<Oid> oids;
  for (const auto& [oid, mode] : wanted) oids.insert(oid);
  if (oids.empty()) return out;
  const auto rows = connection_.exec(fmt::format(kHolders, kBlockerColumns),
                                     pg::Params::of(json_list(oids), own_pid), for_look());
  for (int i = 0; i < rows.rows(); ++i) {
    const auto mode = lock_mode_of(rows.text(i, 7));
    if (!mode || !conflict(*mode, wanted.at(rows.i64(i, 6)))) continue;
    Relation relation;
    relation.schema = rows.text(i, 8);
    relation.name = rows.text(i, 9);
    out.push_back(
        {read_blocker(rows, i), fmt::format("{} on {}", to_string(*mode), relation.sql())});
  }
  return out;
}

std::optional<PlanBlocker> Look::other_runner() {
  const auto rows = connection_.exec(
      fmt::format("SELECT l.pid, {} FROM pg_catalog.pg_locks l "
                  "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE {} LIMIT 1",
                  kBlockerColumns, kHasLock),
      pg::Params::of(kLockKey), for_look());
  if (rows.empty()) return std::nullopt;
  return PlanBlocker{read_blocker(rows, 0), "the lock of migrations"};
}

std::vector<std::string> Look::event_triggers() {
  std::vector<std::string> out;
  const auto rows = connection_.exec(
      "SELECT evtname FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' "
      "AND evtevent <> 'login' ORDER BY evtname LIMIT 100",
      for_look());
  for (int i = 0; i < rows.rows(); ++i) out.emplace_back(rows.text(i, 0));
  return out;
}

std::map<Oid, Relation> describe_relations(pg::Connection& connection, const std::set<Oid>& oids) {
  std::map<Oid, Relation> out;
  if (oids.empty()) return out;
  const auto rows = connection.exec(
      fmt::format("SELECT {} FROM pg_catalog.pg_class c {} WHERE c.oid IN (SELECT "
                  "value::bigint::oid FROM pg_catalog.jsonb_array_elements_text($1::jsonb))",
                  kRelation, kOfRelation),
      pg::Params::of(json_list(oids)), for_look());
  for (int i = 0; i < rows.rows(); ++i) {
    const auto each = read_relation(rows, i, 0);
    out[each.oid] = each;
  }
  return out;
}

}  // namespace pantryd::migrate
