// Invariant: windows holds what the last look saw; what is there no more is forgotten at once.
#include "probes/exhaustion/exhaustion_probe.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <map>
#include <set>

#include "base/file.h"
#include "probes/exhaustion/window.h"

namespace pantryd::probes {
namespace {

constexpr const char* kSeconds = "pantryd_exhaustion_seconds";

/// The server refuses new transactions three million identifiers before they would wrap around
/// (varsup.c, multixact.c).
constexpr double kIdentifiersMax = 2147483647.0 - 3'000'000;

/// Identifiers used since ever, and how many of them are still in the way of new ones. A snapshot's
/// xmax is the next identifier, and costs none; that of multixacts is its distance to the first.
/// A role that may not see the sessions does not know how many connections there are: NULL.
constexpr const char* kCluster = R"(
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
       (SELECT max(age(datfrozenxid)) FROM pg_database),
       mxid_age('1'::xid)::bigint & 4294967295,
       (SELECT max(mxid_age(datminmxid)) FROM pg_database),
       (SELECT CASE WHEN count(*) = count(backend_type) THEN
                 count(*) FILTER (WHERE backend_type = 'client backend') END FROM pg_stat_activity),
       current_setting('max_connections')::int
         - current_setting('superuser_reserved_connections')::int
         - coalesce(current_setting('reserved_connections', true), '0')::int,
       (SELECT setting FROM pg_settings WHERE name = 'data_directory'))";

/// The hundred fullest, and how many there are. A sequence of a column ends where the column's type
/// ends. One that somebody alters is left out, for its last value waits for him.
constexpr const char* kSequences = R"(
WITH held AS MATERIALIZED (
  SELECT relation FROM pg_locks
  WHERE locktype = 'relation'
    AND mode IN ('ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')),
open AS MATERIALIZED (
  SELECT s.seqrelid, s.seqincrement, s.seqmin, n.nspname || '.' || c.relname AS name,
         least(s.seqmax, (
           SELECT min(CASE a.atttypid WHEN 'int2'::regtype THEN 32767
                                      WHEN 'int4'::regtype THEN 2147483647 END)
           FROM pg_depend d
           JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
           WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                 AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))) AS top
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relpersistence = 'p' AND NOT s.seqcycle
        AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT,USAGE') END
        AND c.oid NOT IN (SELECT relation FROM held WHERE relation IS NOT NULL)),
valued AS MATERIALIZED (SELECT *, pg_sequence_last_value(seqrelid) AS value FROM open)
SELECT current_database() || '.' || name, value * sign(seqincrement),
       CASE WHEN seqincrement > 0 THEN top - value ELSE value - seqmin END, count(*) OVER ()
FROM valued WHERE value IS NOT NULL
ORDER BY abs(value::numeric) / nullif(abs(top::numeric), 0) DESC NULLS LAST, 1
LIMIT 100)";

using Key = std::pair<std::string, std::string>;  // resource and name

struct Memory {
  ExhaustionOptions options;
  std::map<Key, UseWindow> windows;
};

/// One look: adds to the windows and tells what they say.
class Look {
 public:
  explicit Look(Memory& memory) : memory_(memory), samples_(exhaustion_description()) {}

  void see(const std::string& resource, const std::string& name, double used, double room,
           UseWindow::Fall fall) {
    const Key key{resource, name};
    const auto& options = memory_.options;
    const auto window =
        memory_.windows.try_emplace(key, UseWindow::Options{options.span, options.least, fall})
            .first;
    window->second.add(now_, used);
    seen_.insert(key);
    const auto left = seconds_to_exhaustion(window->second.rate_per_second(), room);
    if (left) samples_.add(kSeconds, {resource, name}, *left);
  }

  void see_disk(const std::string& resource, const std::filesystem::path& folder) {
    struct statvfs disk {};
    if (folder.empty() || ::statvfs(folder.c_str(), &disk) != 0) return;
    const auto block = static_cast<double>(disk.f_frsize);
    see(resource, folder.string(), static_cast<double>(disk.f_blocks - disk.f_bfree) * block,
        static_cast<double>(disk.f_bavail) * block, UseWindow::Fall::goes_on);
  }

  ProbeRun finish() {
    for (auto each = memory_.windows.begin(); each != memory_.windows.end();) {
      each = seen_.count(each->first) == 0 ? memory_.windows.erase(each) : std::next(each);
    }
    ProbeRun run;
    run.rows = static_cast<std::int64_t>(seen_.size());
    run.samples = samples_.take();
    return run;
  }

 private:
  Memory& memory_;
  SampleList samples_;
  std::set<Key> seen_;
  const SteadyClock::time_point now_ = SteadyClock::now();
};

/// Whether the process that serves us runs here: a server behind a tunnel has an address of this
/// machine, too.
bool runs_here(const pg::Connection& connection) {
  const auto command = try_read_file(fmt::format("/proc/{}/cmdline", connection.backend_pid()));
  return command && command->rfind("postgres", 0) == 0;
}

/// True: on another disk, or one of them is not to be seen.
bool apart(const std::filesystem::path& one, const std::filesystem::path& other) {
  struct stat first {};
  struct stat second {};
  return ::stat(one.c_str(), &first) != 0 || ::stat(other.c_str(), &second) != 0 ||
         first.st_dev != second.st_dev;
}

void see_disks(Look& look, const ExhaustionOptions& options, const pg::Connection& connection,
               const std::string& data_folder) {
  const bool here = !data_folder.empty() && runs_here(connection);
  auto data = options.data_disk;
  auto wal = options.wal_disk;
  if (data.empty() && here) data = data_folder;
  if (wal.empty() && here) wal = std::filesystem::path(data_folder) / "pg_wal";
  look.see_disk("disk_data", data);
  // On the disk of the data it has no end of its own.
  if (data.empty() || !options.wal_disk.empty() || apart(data, wal)) look.see_disk("disk_wal", wal);
}

ProbeRun look_at_all(Memory& memory, pg::Connection& connection, Deadline deadline) {
  Look look(memory);
  const auto row = connection.exec_cached(kCluster, deadline);
  using Fall = UseWindow::Fall;
  look.see("xid", "", row.f64(0, 0), kIdentifiersMax - row.f64(0, 1), Fall::begins_anew);
  look.see("mxid", "", row.f64(0, 2), kIdentifiersMax - row.f64(0, 3), Fall::begins_anew);
  if (const auto used = row.maybe_f64(0, 4)) {
    look.see("connections", "", *used, row.f64(0, 5) - *used, Fall::goes_on);
  }
  see_disks(look, memory.options, connection, row.maybe_text(0, 6).value_or(""));
  std::string error;
  std::int64_t left_out = 0;
  try {
    const auto sequences = connection.exec_cached(kSequences, deadline);
    if (!sequences.empty()) left_out = sequences.i64(0, 3) - sequences.rows();
    for (int i = 0; i < sequences.rows(); ++i) {
      look.see("sequence", std::string(sequences.text(i, 0)), sequences.f64(i, 1),
               sequences.f64(i, 2), Fall::begins_anew);
    }
  } catch (const pg::PgError& failure) {
    // A lock that came between, or very many of them: the rest is still worth telling.
    if (connection.broken()) throw;
    error = failure.what();
  }
  auto run = look.finish();
  run.error = error;
  if (error.empty()) run.other = left_out;
  return run;
}

}  // namespace

const ProbeDescription& exhaustion_description() {
  static const ProbeDescription out{
      "exhaustion",
      "Time until a resource is used up, if its use continues as over the last hour (at least 5m). "
      "Absent where nothing is used. resource: xid and mxid (the server refuses transactions; "
      "vacuum frees numbers), sequence (of the target's own database, the hundred fullest, "
      "pantryd_probe_other_rows counts the others; name is database.schema.sequence), connections, "
      "disk_data and disk_wal (if the server runs on this "
      "machine, or the configuration names its disks; name is the folder; disk_wal only if it is "
      "another disk).",
      std::chrono::seconds(60),
      std::chrono::seconds(5),
      CostClass::high,
      {{{kSeconds, MetricType::gauge, "Time until the resource is used up."},
        {"resource", "name"}}},
      {{{.text = kCluster}}, {{.text = kSequences}}}};
  return out;
}

ServerProbe exhaustion_probe(ExhaustionOptions options) {
  const auto& description = exhaustion_description();
  const auto memory = std::make_shared<Memory>();
  memory->options = std::move(options);
  return server_probe(description,
                      [memory](pg::Connection& connection, const TargetFacts&, Deadline deadline) {
                        return look_at_all(*memory, connection, deadline);
                      });
}

}  // namespace pantryd::probes
