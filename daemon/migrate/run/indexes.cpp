// Reads the catalogue; changes nothing. What is ours is decided by the names that the statement
// itself writes, never by how an index of the database happens to be called.
#include "migrate/run/indexes.h"

#include <fmt/format.h>

#include "pg/identifier.h"

namespace pantryd::migrate {
namespace {

constexpr const char* kFind =
    "SELECT i.indisvalid AND i.indisready, format('%I.%I', n.nspname, c.relname), "
    "$3 <> '' AND i.indrelid IS DISTINCT FROM to_regclass($3), "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_stat_progress_create_index p "
    "WHERE p.index_relid = c.oid AND p.pid <> pg_backend_pid()) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'i' AND "
    // An index stands in the schema of its table; one to be dropped is found as the server would.
    "CASE WHEN $3 <> '' THEN c.relname = $2 AND c.relnamespace = (SELECT t.relnamespace "
    "FROM pg_catalog.pg_class t WHERE t.oid = to_regclass($3)) "
    "ELSE c.oid = to_regclass($1) END";

// What a statement works on: the index or table $2 of kind $1, its partitions and, of a table, the
// indexes and the TOAST table. pg_inherits is read without a lock on the partitions.
constexpr const char* kScope = R"(
WITH RECURSIVE named(oid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c
  WHERE c.oid = to_regclass(nullif($2, '')) AND CASE $1::text
    WHEN 'index' THEN c.relkind IN ('i', 'I') WHEN 'table' THEN c.relkind IN ('r', 'p', 'm') END
  UNION
  SELECT h.inhrelid FROM named n JOIN pg_catalog.pg_class p ON p.oid = n.oid
  JOIN pg_catalog.pg_inherits h ON h.inhparent = n.oid WHERE p.relkind IN ('p', 'I')),
scope AS (
  SELECT oid FROM named
  UNION SELECT t.reltoastrelid FROM pg_catalog.pg_class t JOIN named n ON n.oid = t.oid
  WHERE t.reltoastrelid <> 0
  UNION SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'm')
    AND c.relpersistence <> 't' AND c.relnamespace <> 'pg_catalog'::regnamespace
    AND ($1 = 'database' OR $1 = 'schema' AND c.relnamespace = to_regnamespace(nullif($2, '')))),
member AS (
  SELECT i.indexrelid, i.indrelid FROM pg_catalog.pg_index i
  WHERE i.indexrelid IN (SELECT oid FROM scope) OR i.indrelid IN (SELECT oid FROM scope)))";

// REINDEX CONCURRENTLY names the index that it makes as ChooseRelationName() does: the name of the
// one that is built again, cut at a character so that "_ccnew" and a number fit into 63 bytes.
// Where two indexes of the table may have given that name, both must be of the statement.
constexpr const char* kLeftovers = R"(
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_index l JOIN pg_catalog.pg_class c ON c.oid = l.indexrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT regexp_replace(c.relname, '_cc(new|old)[0-9]*$', '') AS text) base
WHERE NOT l.indisvalid AND c.relkind = 'i' AND c.relname <> base.text
  AND l.indrelid IN (SELECT indrelid FROM member)
  AND l.indexrelid NOT IN (SELECT oid FROM named)
  AND (n.nspname <> 'pg_toast' OR pg_catalog.has_schema_privilege(n.oid, 'USAGE'))
  AND (SELECT coalesce(bool_and(b.oid IN (SELECT indexrelid FROM member)), false)
       FROM pg_catalog.pg_index o JOIN pg_catalog.pg_class b ON b.oid = o.indexrelid
       WHERE o.indrelid = l.indrelid AND b.oid <> c.oid
         AND (b.relname = base.text OR octet_length(c.relname) >= 60
              AND octet_length(b.relname) > octet_length(base.text)
              AND starts_with(b.relname, base.text)))
ORDER BY 1 LIMIT 1000)";

// {}: kBlockerColumns. Everybody may read pg_locks; of pg_stat_progress_create_index a role sees
// only its own sessions. VACUUM and ANALYZE take the same lock as a build: those that do nothing
// else are left out.
constexpr const char* kBuilders = R"(
SELECT l.pid, {}
FROM (SELECT DISTINCT coalesce(k.pid, 0) AS pid FROM pg_catalog.pg_locks k
  WHERE k.locktype = 'relation' AND k.pid IS DISTINCT FROM pg_backend_pid()
    AND k.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND k.relation IN (SELECT indrelid FROM member UNION SELECT oid FROM named)
    AND k.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock',
                   'ExclusiveLock', 'AccessExclusiveLock')
    AND NOT (k.mode = 'ShareUpdateExclusiveLock' AND k.pid IN (
      SELECT pid FROM pg_catalog.pg_stat_progress_vacuum
      UNION SELECT pid FROM pg_catalog.pg_stat_progress_analyze))) l
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid ORDER BY l.pid LIMIT 10)";

std::string qualified(const SqlStatement& statement, const std::string& name) {
  if (name.empty()) return {};
  const auto quoted = pg::quote_identifier(name);
  if (statement.index_schema.empty()) return quoted;
  return pg::quote_identifier(statement.index_schema) + "." + quoted;
}

/// The parameters of kScope.
pg::Params scope_of(const SqlStatement& statement) {
  if (statement.reindex == ReindexOf::database) return pg::Params::of("database", "");
  if (statement.reindex == ReindexOf::schema) {
    return pg::Params::of("schema", pg::quote_identifier(statement.index_schema));
  }
  if (!statement.table.empty()) {
    return pg::Params::of("table", qualified(statement, statement.table));
  }
  return pg::Params::of("index", qualified(statement, statement.index));
}

}  // namespace

FoundIndex find_index(pg::Connection& connection, const SqlStatement& statement,
                      Deadline deadline) {
  FoundIndex out;
  if (statement.index.empty()) return out;
  const auto rows =
      connection.exec(kFind,
                      pg::Params::of(qualified(statement, statement.index), statement.index,
                                     qualified(statement, statement.table)),
                      deadline);
  if (rows.empty()) return out;
  out.state = rows.boolean(0, 0) ? IndexState::valid : IndexState::invalid;
  out.name = rows.text(0, 1);
  out.on_other_table = rows.boolean(0, 2);
  out.being_built = rows.boolean(0, 3);
  return out;
}

std::vector<std::string> reindex_leftovers(pg::Connection& connection,
                                           const SqlStatement& statement, Deadline deadline) {
  std::vector<std::string> out;
  if (statement.kind != StatementKind::reindex_concurrently) return out;
  static const std::string query = std::string(kScope) + kLeftovers;
  const auto rows = connection.exec(query, scope_of(statement), deadline);
  for (int i = 0; i < rows.rows(); ++i) out.emplace_back(rows.text(i, 0));
  return out;
}

std::vector<Blocker> builders(pg::Connection& connection, const SqlStatement& statement,
                              Deadline deadline) {
  static const std::string query = kScope + fmt::format(kBuilders, kBlockerColumns);
  return read_blockers(connection.exec(query, scope_of(statement), deadline));
}

}  // namespace pantryd::migrate
