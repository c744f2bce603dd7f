// Invariant: the session is used by one look at a time; a look that failed leaves none behind.
#include "probes/pooler/pgbouncer.h"

#include <fmt/format.h>

#include <map>
#include <mutex>
#include <optional>

namespace pantryd::probes {
namespace {

constexpr std::string_view kPrefix = "pantryd_pgbouncer_";
/// A pooler in front of very many databases: more rows than these are cut, and the run says so.
constexpr int kConsoleRowsMax = 2000;

struct Column {
  const char* what;    ///< POOLS or STATS
  const char* column;  ///< as the console calls it
  const char* metric;  ///< without the prefix
  MetricType type;
  double unit;  ///< the metric's for one of the column's
  const char* help;
};

constexpr auto kGauge = MetricType::gauge;
constexpr auto kCounter = MetricType::counter;
constexpr double kMicro = 1e-6;

const Column kColumns[] = {
    {"POOLS", "cl_active", "pools_client_active", kGauge, 1,
     "Clients that have a server connection, or need none."},
    {"POOLS", "cl_waiting", "pools_client_waiting", kGauge, 1,
     "Clients that wait for a server connection."},
    {"POOLS", "sv_active", "pools_server_active", kGauge, 1,
     "Server connections that are assigned to a client."},
    {"POOLS", "sv_idle", "pools_server_idle", kGauge, 1, "Server connections that are free."},
    {"POOLS", "sv_used", "pools_server_used", kGauge, 1,
     "Server connections that were idle for so long that they must be checked before use."},
    {"POOLS", "sv_tested", "pools_server_tested", kGauge, 1,
     "Server connections that are being checked."},
    {"POOLS", "sv_login", "pools_server_login", kGauge, 1,
     "Server connections that are logging in."},
    {"POOLS", "cl_active_cancel_req", "pools_client_active_cancel", kGauge, 1,
     "Cancel requests that were forwarded."},
    {"POOLS", "cl_waiting_cancel_req", "pools_client_waiting_cancel", kGauge, 1,
     "Cancel requests that wait."},
    {"POOLS", "sv_being_canceled", "pools_server_being_canceled", kGauge, 1,
     "Server connections that wait until cancel requests to them have finished."},
    {"STATS", "total_xact_count", "stats_transactions_total", kCounter, 1, "Transactions."},
    {"STATS", "total_query_count", "stats_queries_total", kCounter, 1, "Queries."},
    {"STATS", "total_received", "stats_received_bytes_total", kCounter, 1,
     "Bytes received from clients and servers."},
    {"STATS", "total_sent", "stats_sent_bytes_total", kCounter, 1,
     "Bytes sent to clients and servers."},
    {"STATS", "total_xact_time", "stats_transaction_seconds_total", kCounter, kMicro,
     "Time that server connections were in transactions."},
    {"STATS", "total_query_time", "stats_query_seconds_total", kCounter, kMicro,
     "Time that server connections ran queries."},
    {"STATS", "total_wait_time", "stats_wait_seconds_total", kCounter, kMicro,
     "Time that clients waited for server connections."},
    {"STATS", "total_server_assignment_count", "stats_server_assignments_total", kCounter, 1,
     "Times that a client got a server connection."},
    {"STATS", "total_client_parse_count", "stats_client_prepares_total", kCounter, 1,
     "Statements that clients prepared."},
    {"STATS", "total_server_parse_count", "stats_server_prepares_total", kCounter, 1,
     "Statements that were prepared on servers."},
    {"STATS", "total_bind_count", "stats_binds_total", kCounter, 1,
     "Prepared statements that clients ran."},
};

struct Session {
  std::mutex mutex;  ///< a look that was given up may still be at it
  Login login;
  std::optional<pg::Connection> connection;
};

pg::Result show(pg::Connection& connection, const std::string& what, Deadline deadline) {
  return connection.exec_script("SHOW " + what, deadline);
}

ProbeRun look(Session& session, Deadline deadline) {
  const std::unique_lock lock(session.mutex, std::try_to_lock);
  if (!lock) throw Error(ExitCode::failed, "the previous check has not finished");
  ProbeRun run;
  SampleList samples(pgbouncer_description());
  try {
    if (!session.connection || session.connection->broken()) {
      session.connection.reset();
      session.connection.emplace(
          pg::Connection::connect(session.login().with("dbname", "pgbouncer"), deadline));
    }
    for (const auto* what : {"POOLS", "STATS"}) {
      const auto answer = show(*session.connection, what, deadline);
      run.rows += answer.rows();
      if (answer.rows() > kConsoleRowsMax) {
        run.error = fmt::format("only {} rows of SHOW {}", kConsoleRowsMax, what);
        run.lost += answer.rows() - kConsoleRowsMax;
      }
      tell_console(what, answer, samples);
    }
  } catch (const pg::PgError& error) {
    session.connection.reset();
    run.outcome = outcome_of(error);
    run.error = error.what();
    return run;
  }
  run.samples = samples.take();
  return run;
}

}  // namespace

const ProbeDescription& pgbouncer_description() {
  static const ProbeDescription out = [] {
    ProbeDescription made{
        "pgbouncer",
        "The pools of a PgBouncer that the configuration names for the target. Columns that its "
        "version lacks are absent.",
        std::chrono::seconds(15), std::chrono::seconds(5), CostClass::low};
    const std::vector<std::string> pool{"database", "user"};
    for (const auto& each : kColumns) {
      const bool pools = std::string_view(each.what) == "POOLS";
      made.metrics.push_back({{std::string(kPrefix) + each.metric, each.type, each.help},
                              pools ? pool : std::vector<std::string>{"database"}});
    }
    made.metrics.push_back(
        {{std::string(kPrefix) + "pools_maxwait_seconds", kGauge,
          "How long the client that has waited longest for a server connection has waited."},
         pool});
    return made;
  }();
  return out;
}

void tell_console(const std::string& what, const pg::Result& answer, SampleList& samples) {
  const int database = answer.column("database");
  const int user = answer.column("user");
  const bool pools = what == "POOLS";
  if (database < 0 || (pools && user < 0)) return;
  const auto value_of = [&](int row, const char* name) -> std::optional<double> {
    const int column = answer.column(name);
    return column < 0 ? std::nullopt : answer.maybe_f64(row, column);
  };
  for (int row = 0; row < std::min(answer.rows(), kConsoleRowsMax); ++row) {
    std::vector<std::string> labels{std::string(answer.text(row, database))};
    if (pools) labels.emplace_back(answer.text(row, user));
    for (const auto& each : kColumns) {
      if (what != each.what) continue;
      const auto value = value_of(row, each.column);
      if (value) samples.add(std::string(kPrefix) + each.metric, labels, *value * each.unit);
    }
    const auto wait = pools ? value_of(row, "maxwait") : std::nullopt;
    if (!wait) continue;
    samples.add(std::string(kPrefix) + "pools_maxwait_seconds", labels,
                *wait + value_of(row, "maxwait_us").value_or(0) * kMicro);
  }
}

LocalProbe pgbouncer_probe(Login login) {
  const auto& description = pgbouncer_description();
  const auto session = std::make_shared<Session>();
  session->login = std::move(login);
  return local_probe(description,
                     [session](Deadline deadline) { return look(*session, deadline); });
}

}  // namespace pantryd::probes
