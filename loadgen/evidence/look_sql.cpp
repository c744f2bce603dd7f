// The one statement of a look, by version. Its parts read shared memory only: no table of the user
// is touched, no lock taken that a load could wait for.
// Sources: PostgreSQL manual of 14 to 18, "The Cumulative Statistics System", "pg_locks".
#include <fmt/format.h>

#include "loadgen/evidence/sampler.h"

namespace pantryd::loadgen {
namespace {

constexpr const char* kDatabases = R"(
SELECT 'c' AS kind, v.name, v.value FROM pg_stat_database d, LATERAL (VALUES
  ('commits', d.xact_commit::float8), ('rollbacks', d.xact_rollback),
  ('blocks_hit', d.blks_hit), ('blocks_read', d.blks_read), ('temp_bytes', d.temp_bytes),
  ('deadlocks', d.deadlocks), ('active_ms', d.active_time)) v(name, value)
WHERE d.datname = current_database()
UNION ALL SELECT 'c', v.name, v.value FROM (
    SELECT sum(xact_commit + xact_rollback)::float8 AS x, sum(active_time)::float8 AS a
    FROM pg_stat_database WHERE datname <> current_database()) o,
  LATERAL (VALUES ('other_transactions', coalesce(o.x, 0)), ('other_active_ms', coalesce(o.a, 0)))
    v(name, value))";

constexpr const char* kWal = R"(
UNION ALL SELECT 'c', 'wal_bytes', ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                     ELSE pg_current_wal_insert_lsn() END) - '0/0')::float8
UNION ALL SELECT 'c', v.name, v.value FROM pg_stat_wal w, LATERAL (VALUES
  ('wal_records', w.wal_records::float8), ('wal_full_page_images', w.wal_fpi)) v(name, value))";

constexpr const char* kCheckpointsBefore17 = R"(
UNION ALL SELECT 'c', v.name, v.value FROM pg_stat_bgwriter b, LATERAL (VALUES
  ('checkpoints', (b.checkpoints_timed + b.checkpoints_req)::float8),
  ('checkpoints_timed', b.checkpoints_timed), ('checkpoints_requested', b.checkpoints_req),
  ('checkpoint_write_ms', b.checkpoint_write_time),
  ('checkpoint_sync_ms', b.checkpoint_sync_time),
  ('checkpoint_buffers', b.buffers_checkpoint)) v(name, value))";

constexpr const char* kCheckpoints = R"(
UNION ALL SELECT 'c', v.name, v.value FROM pg_stat_checkpointer b, LATERAL (VALUES
  ('checkpoints', (b.num_timed + b.num_requested)::float8), ('checkpoint_write_ms', b.write_time),
  ('checkpoints_timed', b.num_timed), ('checkpoints_requested', b.num_requested),
  ('checkpoint_sync_ms', b.sync_time), ('checkpoint_buffers', b.buffers_written)) v(name, value))";

constexpr const char* kIo = R"(
UNION ALL SELECT 'c', v.name, v.value FROM (
    SELECT sum(reads)::float8 AS reads, sum(writes)::float8 AS writes,
           sum(extends)::float8 AS extends, sum(fsyncs)::float8 AS fsyncs FROM pg_stat_io) i,
  LATERAL (VALUES ('io_reads', i.reads), ('io_writes', i.writes), ('io_extends', i.extends),
           ('io_fsyncs', i.fsyncs)) v(name, value) WHERE v.value IS NOT NULL)";

/// One read of pg_stat_activity for all that is taken from it. What a role may not see of others'
/// sessions is NULL there, their type as well; ours are of the same role.
constexpr const char* kSessions = R"(
UNION ALL SELECT * FROM (
  WITH a AS MATERIALIZED (
    SELECT pid, state, wait_event_type, wait_event, query_id, left(query, 200) AS query,
           left(application_name, 60) AS name, backend_type IS NULL AS hidden,
           backend_type = 'client backend' AND application_name LIKE 'pantryd-load%' AS ours,
           coalesce(backend_type, '') = 'autovacuum worker' AS vacuums
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND coalesce(backend_type, 'client backend') IN ('client backend', 'autovacuum worker')
      AND application_name <> 'pantryd-load evidence'),
  o AS (SELECT * FROM a WHERE ours IS NOT TRUE AND NOT vacuums)
  SELECT 'w', coalesce(wait_event_type || ':' || wait_event, 'CPU'), count(*)::float8 FROM a
  WHERE ours AND state = 'active' GROUP BY 2
  UNION ALL SELECT 'g', v.name, v.value FROM (
      SELECT count(*) FILTER (WHERE ours) AS sessions,
             count(*) FILTER (WHERE ours AND state = 'active') AS active,
             count(*) FILTER (WHERE ours AND state LIKE 'idle in%') AS idle_in FROM a) s,
    LATERAL (VALUES ('sessions', s.sessions::float8), ('active', s.active),
             ('idle_in_transaction', s.idle_in)) v(name, value)
  UNION ALL SELECT 'g', v.name, v.value FROM (
      SELECT count(*) AS sessions, count(*) FILTER (WHERE state = 'active') AS active,
             count(*) FILTER (WHERE hidden) AS hidden FROM o) s,
    LATERAL (VALUES ('foreign_sessions', s.sessions::float8), ('foreign_active', s.active),
             ('foreign_hidden', s.hidden)) v(name, value)
  UNION ALL (SELECT 'o', name, count(*) FROM o GROUP BY name ORDER BY count(*) DESC LIMIT 20)
  UNION ALL (SELECT 'v', coalesce(regexp_replace(query, '^autovacuum: ', ''), '(not shown)'),
                    count(*) FROM a WHERE vacuums GROUP BY query LIMIT 20)
  UNION ALL (SELECT 'p', pid::text, 1 FROM a WHERE ours ORDER BY pid LIMIT 200)
  UNION ALL (SELECT 'q', query_id || ' ' || query, 1 FROM a
             WHERE ours AND query_id IS NOT NULL GROUP BY query_id, query LIMIT 50)) sessions)";

/// Who waits for a row holds or waits for the lock on the row's place in its table.
constexpr const char* kLocks = R"(
UNION ALL SELECT * FROM (
  WITH l AS MATERIALIZED (SELECT locktype, relation, database, granted FROM pg_locks)
  SELECT 'g', 'locks_waiting', count(*)::float8 FROM l WHERE NOT granted
  UNION ALL (SELECT 'l', relation::regclass::text, count(*) FROM l
             WHERE locktype = 'tuple' AND database =
                   (SELECT oid FROM pg_database WHERE datname = current_database())
             GROUP BY relation ORDER BY count(*) DESC LIMIT 3)) locks)";

constexpr const char* kStandbys = R"(
UNION ALL SELECT 'g', v.name, v.value FROM (
    SELECT count(*) AS n,
           max(CASE WHEN NOT pg_is_in_recovery()
                    THEN pg_current_wal_lsn() - replay_lsn END) AS bytes,
           max(extract(epoch FROM replay_lag) * 1000) AS ms FROM pg_stat_replication) r,
  LATERAL (VALUES ('standbys', r.n::float8), ('replay_lag_bytes', r.bytes::float8),
           ('replay_lag_ms', r.ms::float8)) v(name, value) WHERE v.value IS NOT NULL
UNION ALL SELECT 'g', 'started_at', extract(epoch FROM pg_postmaster_start_time())::float8
UNION ALL SELECT 'g', 'configured_at', extract(epoch FROM pg_conf_load_time())::float8
UNION ALL SELECT 'g', v.name, (current_setting(v.name) <> 'off')::int::float8
  FROM (VALUES ('fsync'), ('synchronous_commit'), ('full_page_writes')) v(name))";

}  // namespace

std::string look_sql(int version, const std::string& statements_schema) {
  std::string out = kDatabases;
  out += kWal;
  out += version >= 170000 ? kCheckpoints : kCheckpointsBefore17;
  if (version >= 160000) out += kIo;
  out += kSessions;
  out += kLocks;
  out += kStandbys;
  if (!statements_schema.empty()) {
    out += fmt::format(
        "\nUNION ALL SELECT 'c', 'statements_evicted', dealloc::float8 FROM "
        "{}.pg_stat_statements_info",
        statements_schema);
  }
  return out;
}

}  // namespace pantryd::loadgen
