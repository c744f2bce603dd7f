// Sessions of `validate` beside its loads; each statement has a time limit, and none writes but the
// seed.
#include "validate/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "loadgen/dataset/count.h"
#include "loadgen/dataset/seed.h"
#include "migrate/catalogue/drift.h"
#include "migrate/migrate.h"
#include "pg/connection.h"

namespace pantryd::validate {
namespace {

using std::chrono::seconds;

constexpr auto kConnectLimit = seconds(10);
constexpr auto kStatusLimit = seconds(30);
constexpr auto kQueryLimit = loadgen::kCountLimit;
constexpr std::size_t kLinesShown = 5;
constexpr std::size_t kLineCharsMax = 200;
constexpr double kFullProducts = 1'000'000;
constexpr double kFullSales = 10'000'000;
constexpr std::int64_t kLastVersionAsBuilt = 6;  // the application's own six

constexpr const char* kName = "pantryd validate";
constexpr auto kLockLimit = std::chrono::milliseconds(100);

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

namespace {

std::string listed(const std::vector<std::string>& lines) {
  std::string out;
  for (std::size_t i = 0; i < std::min(kLinesShown, lines.size()); ++i) {
    out += (i > 0 ? "; " : "") + lines[i].substr(0, kLineCharsMax);
  }
  if (lines.size() > kLinesShown) out += fmt::format("; and {} more", lines.size() - kLinesShown);
  return out;
}

/// The catalogue as it is against what the migrations made of it.
void require_catalogue(pg::Connection& connection, const std::string& schema) {
  using State = migrate::CatalogueDrift::State;
  const auto drift = migrate::compare_catalogue(connection, Deadline::in(kStatusLimit));
  if (drift.state == State::same) return;
  const auto refuse = [&](const std::string& why, const char* hint) {
    throw Error(ExitCode::drift, fmt::format("the schema is not {}: {}", schema, why), hint);
  };
  if (drift.state == State::unrecorded || drift.state == State::run_open) {
    refuse("no finished run of the migrations recorded what it made", "Run pantryd migrate up.");
  }
  if (drift.state == State::incomparable) {
    refuse("what the migrations made was recorded under another major version",
           "Review it, then run pantryd migrate verify --accept.");
  }
  std::string why;
  if (!drift.removed.empty()) why = "missing or changed: " + listed(drift.removed);
  if (!drift.added.empty()) {
    why += (why.empty() ? "" : ". ") + ("not made by a migration: " + listed(drift.added));
  }
  refuse(why, "pantryd migrate verify lists all of it.");
}

}  // namespace

void require_schema(const pg::Conninfo& where, const std::string& schema, const StopFlag* stop) {
  auto connection = pg::Connection::connect(where, Deadline::in(kConnectLimit),
                                            pg::watching_session(kName, kLockLimit, stop));
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
  require_catalogue(connection, schema);
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
    // As the application connects: what it asks for may be the settings of its role.
    auto connection =
        pg::Connection::connect(where, Deadline::in(kConnectLimit), {.application_name = kName});
    const auto deadline = Deadline::in(kQueryLimit);
    (void)connection.exec("BEGIN TRANSACTION READ ONLY", deadline);
    (void)connection.exec("SET LOCAL search_path = pg_catalog, pg_temp", deadline);
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
