#include "migrate/indexes.h"

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

constexpr const char* kLeftovers =
    "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE NOT i.indisvalid AND c.relkind = 'i' AND n.nspname <> 'pg_toast' "
    "AND c.relname ~ '_cc(new|old)[0-9]*$' AND NOT EXISTS (SELECT 1 FROM "
    "pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid) LIMIT 1000";

}  // namespace

FoundIndex find_index(pg::Connection& connection, const SqlStatement& statement,
                      Deadline deadline) {
  const auto qualified = [&](const std::string& name) {
    if (name.empty()) return std::string();
    const auto quoted = pg::quote_identifier(name);
    if (statement.index_schema.empty()) return quoted;
    return pg::quote_identifier(statement.index_schema) + "." + quoted;
  };
  FoundIndex out;
  if (statement.index.empty()) return out;
  const auto rows = connection.exec(
      kFind,
      pg::Params::of(qualified(statement.index), statement.index, qualified(statement.table)),
      deadline);
  if (rows.empty()) return out;
  out.state = rows.boolean(0, 0) ? IndexState::valid : IndexState::invalid;
  out.name = rows.text(0, 1);
  out.on_other_table = rows.boolean(0, 2);
  out.being_built = rows.boolean(0, 3);
  return out;
}

std::vector<std::string> reindex_leftovers(pg::Connection& connection, Deadline deadline) {
  std::vector<std::string> out;
  const auto rows = connection.exec(kLeftovers, deadline);
  for (int i = 0; i < rows.rows(); ++i) out.emplace_back(rows.text(i, 0));
  return out;
}

}  // namespace pantryd::migrate
