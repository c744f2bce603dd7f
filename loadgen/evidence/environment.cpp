// Reads the fingerprint. What the server does not show is left out: the fingerprint must not cost
// the run.
#include "loadgen/evidence/environment.h"

#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "pg/error.h"

namespace pantryd::loadgen {
namespace {

constexpr int kRoundTrips = 20;
constexpr auto kLookLimit = std::chrono::seconds(5);
constexpr const char* kHidden = "(not shown)";

/// Connection strings, commands and keys may hold a secret, and so may what an application keeps
/// in settings of its own (a name with a dot that no known extension has).
constexpr const char* kSettings = R"(
  SELECT name, hidden, CASE WHEN NOT hidden THEN current_setting(name) END
  FROM (SELECT name, source,
               name ~ '(_command|_conninfo|passphrase|password|secret|token|_keyfile)'
               OR (name LIKE '%.%' AND split_part(name, '.', 1) NOT IN
                   ('pg_stat_statements', 'auto_explain', 'plpgsql', 'pg_prewarm', 'pg_trgm',
                    'pg_hint_plan', 'timescaledb', 'citus', 'pg_wait_sampling')) AS hidden
        FROM pg_settings) s
  WHERE (source NOT IN ('default', 'override', 'client', 'session')
         AND name <> 'password_encryption')
     OR name IN ('shared_buffers', 'max_connections', 'synchronous_commit', 'fsync', 'jit',
                 'full_page_writes', 'wal_level', 'max_wal_size', 'checkpoint_timeout', 'work_mem',
                 'shared_preload_libraries', 'data_checksums', 'server_encoding', 'block_size',
                 'wal_segment_size', 'effective_cache_size', 'random_page_cost', 'autovacuum',
                 'synchronous_standby_names', 'wal_buffers', 'huge_pages',
                 'huge_pages_status', 'shared_memory_size_in_huge_pages')
  ORDER BY name COLLATE "C")";

/// Without the schema in which seeds and migrations keep their books.
constexpr const char* kSchemaHash = R"(
  WITH rel AS MATERIALIZED (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.relkind, c.reloptions,
           c.relpersistence
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pantryd')
      AND n.nspname !~ '^pg_(toast|temp)' AND c.relkind IN ('r', 'p', 'm', 'v', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid AND d.deptype = 'e')),
  line(text) AS (
    SELECT concat_ws(' ', 'relation', name, relkind, relpersistence, reloptions::text) FROM rel
    UNION ALL
    SELECT concat_ws(' ', 'column', rel.name, a.attnum, a.attname,
                     format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated,
                     a.attidentity, a.attcollation::regcollation::text)
    FROM pg_attribute a JOIN rel ON rel.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid), i.indisvalid)
    FROM pg_index i JOIN rel ON rel.oid = i.indrelid
    UNION ALL
    SELECT concat_ws(' ', 'constraint', rel.name, c.conname, pg_get_constraintdef(c.oid))
    FROM pg_constraint c JOIN rel ON rel.oid = c.conrelid WHERE c.contype <> 'n'
    UNION ALL
    SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid))
    FROM pg_trigger t JOIN rel ON rel.oid = t.tgrelid WHERE NOT t.tgisinternal)
  SELECT md5(coalesce(string_agg(text, E'\n' ORDER BY text COLLATE "C"), '')) FROM line)";

/// A size function takes a lock, and would queue behind DDL: see probes/table_sizes.yaml.
constexpr const char* kSizes = R"(
  WITH RECURSIVE locked AS MATERIALIZED (
    SELECT DISTINCT relation AS oid FROM pg_locks
    WHERE locktype = 'relation' AND mode = 'AccessExclusiveLock'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
  busy AS MATERIALIZED (
    SELECT oid FROM locked
    UNION SELECT i.indrelid FROM locked l JOIN pg_index i ON i.indexrelid = l.oid
    UNION SELECT c.oid FROM locked l JOIN pg_class c ON c.reltoastrelid = l.oid
    WHERE c.reltoastrelid <> 0),
  biggest AS MATERIALIZED (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name, c.reltuples
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pantryd')
      AND n.nspname !~ '^pg_toast' AND NOT EXISTS (SELECT FROM busy WHERE busy.oid = c.oid)
    ORDER BY c.relpages DESC, 2 LIMIT $1)
  SELECT name, coalesce(pg_table_size(oid), 0), coalesce(pg_indexes_size(oid), 0),
         reltuples::bigint
  FROM biggest ORDER BY 2 DESC, name COLLATE "C")";

/// nullopt when the server refuses; a lost connection goes on as PgError.
std::optional<pg::Result> ask(pg::Connection& connection, const std::string& sql,
                              const pg::Params& params, Deadline deadline) {
  try {
    return connection.exec(sql, params, deadline.within(kLookLimit));
  } catch (const pg::PgError&) {
    if (connection.broken()) throw;
    return std::nullopt;
  }
}

std::string kernel_name() {
  utsname name{};
  if (::uname(&name) != 0) return {};
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

std::int64_t usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
}

std::int64_t measure_rtt_us(pg::Connection& connection, Deadline deadline) {
  std::int64_t least = 0;
  for (int i = 0; i < kRoundTrips; ++i) {
    const auto began = SteadyClock::now();
    connection.exec("SELECT", deadline.within(kLookLimit));
    const auto us =
        std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began).count();
    if (i == 0 || us < least) least = us;
  }
  return std::max<std::int64_t>(least, 1);
}

/// Where a server keeps its files and how it is reached or logs does not make a load faster.
bool is_only_a_name(const std::string& name) {
  static constexpr std::array<std::string_view, 22> kNames = {
      "port",           "listen_addresses",  "unix_socket_directories",
      "data_directory", "config_file",       "hba_file",
      "ident_file",     "external_pid_file", "cluster_name",
      "log_directory",  "log_filename",      "log_line_prefix",
      "log_timezone",   "TimeZone",          "DateStyle",
      "lc_messages",    "lc_monetary",       "lc_numeric",
      "lc_time",        "log_destination",   "ssl_cert_file",
      "ssl_key_file"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

class Comparison {
 public:
  void unlike(const std::string& name, const std::string& a, const std::string& b) {
    if (a == b) return;
    const auto shown = [](const std::string& text) { return text.empty() ? "unknown" : text; };
    out_.push_back(name + ": " + shown(a) + " against " + shown(b));
  }
  template <typename Number>
  void unlike(const std::string& name, const std::optional<Number>& a,
              const std::optional<Number>& b) {
    const auto shown = [](const std::optional<Number>& value) {
      return value ? std::to_string(*value) : std::string("none");
    };
    unlike(name, shown(a), shown(b));
  }
  /// Apart by more than the factor and by more than the amount.
  void far(const std::string& name, std::int64_t a, std::int64_t b, double factor,
           std::int64_t amount) {
    const auto [low, high] = std::minmax(a, b);
    const bool apart = static_cast<double>(high) > factor * static_cast<double>(low);
    if (apart && high - low > amount) unlike(name, std::to_string(a), std::to_string(b));
  }
  [[nodiscard]] std::vector<std::string> take() { return std::move(out_); }

 private:
  std::vector<std::string> out_;
};

void compare_settings(const Environment& a, const Environment& b, Comparison& out) {
  std::map<std::string, std::pair<std::string, std::string>> both;
  for (const auto& each : a.settings) both[each.name].first = each.value;
  for (const auto& each : b.settings) both[each.name].second = each.value;
  for (const auto& [name, values] : both) {
    if (is_only_a_name(name)) continue;
    // One that is listed on one side only is a default on the other.
    const auto shown = [](const std::string& text) { return text.empty() ? "default" : text; };
    out.unlike("setting " + name, shown(values.first), shown(values.second));
  }
}

void compare_relations(const Environment& a, const Environment& b, Comparison& out) {
  constexpr std::int64_t kEnough = 16 << 20;
  for (const auto& one : a.relations) {
    for (const auto& other : b.relations) {
      if (one.name != other.name) continue;
      out.far("table " + one.name + ", bytes", one.table_bytes, other.table_bytes, 1.2, kEnough);
      out.far("indexes of " + one.name + ", bytes", one.index_bytes, other.index_bytes, 1.2,
              kEnough);
    }
  }
}

std::string dataset_text(const std::optional<DatasetShape>& shape) {
  if (!shape) return "none";
  return "seed " + std::to_string(shape->seed) + ", " + std::to_string(shape->products) +
         " products, " + std::to_string(shape->sales) + " sales, " + std::to_string(shape->users) +
         " users, " + std::to_string(shape->days) + " days";
}

}  // namespace

bool is_server_local(pg::Connection& connection, Deadline deadline, const Host& host) {
  const auto address = ask(
      connection, "SELECT pg_backend_pid(), coalesce(host(inet_server_addr()), '')", {}, deadline);
  if (!address || address->empty()) return false;
  const auto from = address->text(0, 1);
  const bool near = from.empty() || from.starts_with("127.") || from == "::1";
  return near && host.is_postgres(address->i64(0, 0));
}

std::vector<RelationSize> read_relation_sizes(pg::Connection& connection, Deadline deadline) {
  std::vector<RelationSize> out;
  const auto rows = ask(connection, kSizes, pg::Params::of(Environment::kRelationsMax), deadline);
  for (int i = 0; rows && i < rows->rows(); ++i) {
    out.push_back(
        {std::string(rows->text(i, 0)), rows->i64(i, 1), rows->i64(i, 2), rows->i64(i, 3)});
  }
  return out;
}

Environment host_environment(const Host& host) {
  Environment out;
  out.kernel = kernel_name();
  out.cpu_model = host.cpu_model();
  out.cpu_count = usable_processors();
  out.governor = host.governor();
  out.cpu_limit = host.cpu_limit_cores();
  out.memory_limit_bytes = host.memory_limit_bytes();
  out.memory_bytes = host.memory_bytes().value_or(0);
  out.huge_pages = host.huge_pages();
  return out;
}

Environment collect_environment(pg::Connection& connection,
                                const std::optional<DatasetShape>& dataset, Deadline deadline,
                                const Host& host) {
  auto out = host_environment(host);
  out.dataset = dataset;
  out.server_local = is_server_local(connection, deadline, host);
  if (const auto rows = ask(connection, "SHOW server_version", {}, deadline)) {
    out.server_version = rows->text(0, 0);
  }
  if (const auto rows = ask(connection, kSettings, {}, deadline)) {
    for (int i = 0; i < rows->rows(); ++i) {
      const bool hidden = rows->boolean(i, 1);
      out.settings.push_back({std::string(rows->text(i, 0)),
                              hidden ? std::string(kHidden) : std::string(rows->text(i, 2))});
    }
  }
  if (const auto rows = ask(connection, kSchemaHash, {}, deadline)) {
    out.schema_hash = rows->text(0, 0);
  }
  out.relations = read_relation_sizes(connection, deadline);
  out.rtt_us = measure_rtt_us(connection, deadline);
  return out;
}

std::vector<std::string> differences(const Environment& a, const Environment& b) {
  Comparison out;
  out.unlike("kernel", a.kernel, b.kernel);
  out.unlike("processor", a.cpu_model, b.cpu_model);
  out.unlike("processors", std::to_string(a.cpu_count), std::to_string(b.cpu_count));
  out.unlike("governor", a.governor, b.governor);
  out.unlike("processor limit", a.cpu_limit, b.cpu_limit);
  out.unlike("memory limit, bytes", a.memory_limit_bytes, b.memory_limit_bytes);
  out.far("memory, bytes", a.memory_bytes, b.memory_bytes, 1.01, 64 << 20);
  out.unlike("server on the client's host", a.server_local ? "yes" : "no",
             b.server_local ? "yes" : "no");
  out.unlike("server version", a.server_version, b.server_version);
  compare_settings(a, b, out);
  out.unlike("schema", a.schema_hash, b.schema_hash);
  out.unlike("dataset", dataset_text(a.dataset), dataset_text(b.dataset));
  compare_relations(a, b, out);
  out.far("round trip, us", a.rtt_us, b.rtt_us, 2, 200);
  return out.take();
}

}  // namespace pantryd::loadgen
