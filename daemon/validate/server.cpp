// Sessions of `validate` beside its loads; each statement has a time limit, and none writes but the
// seed.
#include "validate/server.h"

#include <fmt/format.h>

#include <chrono>

#include "base/error.h"
#include "loadgen/dataset/seed.h"
#include "migrate/migrate.h"
#include "pg/connection.h"

namespace pantryd::validate {
namespace {

using std::chrono::seconds;

constexpr auto kConnectLimit = seconds(10);
constexpr auto kStatusLimit = seconds(30);
constexpr auto kQueryLimit = seconds(10);
constexpr double kFullProducts = 1'000'000;
constexpr double kFullSales = 10'000'000;
constexpr std::int64_t kLastVersionAsBuilt = 6;  // the application's own six

pg::Connection connect(const pg::Conninfo& where, const StopFlag* stop) {
  return pg::Connection::connect(where, Deadline::in(kConnectLimit),
                                 {"pantryd validate", {}, stop});
}

}  // namespace

std::string primary_among(const std::vector<std::string>& names, const Snapshots& snapshots) {
  std::string reason = "no target is a primary";
  for (const auto& name : names) {
    for (const auto& snapshot : snapshots) {
      if (snapshot->target != name) continue;
      if (snapshot->up && !snapshot->is_standby) return name;
      if (!snapshot->up) reason = snapshot->down_reason;
    }
  }
  throw Error(ExitCode::unreachable, reason,
              "validate needs a primary that answers among the targets.");
}

void require_schema(const pg::Conninfo& where, const std::string& schema, const StopFlag* stop) {
  auto connection = connect(where, stop);
  const auto rows =
      migrate::status(connection, migrate::embedded_migrations(), Deadline::in(kStatusLimit));
  for (const auto& row : rows) {
    const bool wanted = schema == "current" || row.version <= kLastVersionAsBuilt;
    const bool applied = row.state == migrate::MigrationState::applied;
    if (wanted == applied) continue;
    throw Error(ExitCode::pending,
                fmt::format("the schema is not {}: {} is {}", schema, row.name,
                            migrate::to_string(row.state)),
                wanted ? "Run pantryd migrate up." : "Validate it with --schema current.");
  }
}

std::string seed_to_scale(const pg::Conninfo& where, double scale, const StopFlag* stop) {
  loadgen::SeedOptions options;
  options.shape.products = static_cast<std::int64_t>(scale * kFullProducts);
  options.shape.sales = static_cast<std::int64_t>(scale * kFullSales);
  return loadgen::seed(where, options, {}, stop).to_text();
}

ServerEvidence evidence_of(const probes::TargetSnapshot& snapshot) {
  ServerEvidence out;
  out.name = snapshot.target;
  out.up = snapshot.up;
  out.standby = snapshot.is_standby;
  out.problem = snapshot.down_reason;
  for (const auto& probe : snapshot.probes) {
    if (probe->outcome != probes::Outcome::ok || !probe->samples) continue;
    for (const auto& sample : *probe->samples) {
      ServerMetric metric{sample.metric->name, {}, sample.value};
      for (const auto& [name, value] : sample.labels) metric.labels[name] = value;
      out.metrics.push_back(std::move(metric));
    }
  }
  return out;
}

Answer ask(const pg::Conninfo& where, const std::string& query) {
  Answer out;
  try {
    auto connection = connect(where, nullptr);
    const auto deadline = Deadline::in(kQueryLimit);
    (void)connection.exec("BEGIN TRANSACTION READ ONLY", deadline);
    (void)connection.exec("SET LOCAL search_path = pg_catalog", deadline);
    const auto result = connection.exec(query, deadline);
    for (int row = 0; row < result.rows(); ++row) {
      auto& cells = out.rows.emplace_back();
      for (int column = 0; column < result.columns(); ++column) {
        cells.push_back(result.maybe_text(row, column));
      }
    }
  } catch (const Error& error) {
    out.rows.clear();
    out.problem = error.what();
  }
  return out;
}

}  // namespace pantryd::validate
