// The claim sheet, end to end: a paced load, a peak load, one look at every server, the verdicts.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "base/verdict.h"
#include "cli/look.h"
#include "cli/subcommands.h"
#include "loadgen/dataset/seed.h"
#include "migrate/runner.h"
#include "validate/claim.h"
#include "validate/report.h"

namespace pantryd::cli {
namespace {

using loadgen::Check;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kPeakMin = seconds(20);
constexpr auto kPacedMin = seconds(5);
constexpr auto kWarmup = seconds(3);
constexpr double kShareMin = 0.02;  // of the paced operations, for each kind
constexpr std::int64_t kClaimedProducts = 1'000'000;
constexpr std::int64_t kClaimedSales = 10'000'000;
constexpr std::int64_t kLastVersionAsBuilt = 6;  // the application's own six

struct Budget {
  milliseconds paced;
  milliseconds peak;
};

/// A third for the paced load, the rest for the peak, which is never shorter than 20 s.
Budget split(milliseconds total) {
  const auto paced = std::max<milliseconds>(kPacedMin, total / 3);
  return {paced, std::max<milliseconds>(kPeakMin, total - paced)};
}

const loadgen::Claim* find_claim(const std::vector<loadgen::Claim>& claims, Check check) {
  const auto found = std::find_if(claims.begin(), claims.end(),
                                  [&](const auto& claim) { return claim.check == check; });
  return found == claims.end() ? nullptr : &*found;
}

/// The target to load: the first that is not a standby.
const TargetSettings& primary_target(
    const Settings& settings,
    const std::vector<std::shared_ptr<const probes::TargetSnapshot>>& snapshots) {
  std::string reason = "no target is a primary";
  for (const auto& target : settings.targets) {
    for (const auto& snapshot : snapshots) {
      if (snapshot->target != target.name) continue;
      if (snapshot->up && !snapshot->is_standby) return target;
      if (!snapshot->up) reason = snapshot->down_reason;
    }
  }
  throw Error(ExitCode::unreachable, reason,
              "validate needs a primary that answers among the targets.");
}

loadgen::ServerEvidence evidence_of(const probes::TargetSnapshot& snapshot) {
  loadgen::ServerEvidence out;
  out.name = snapshot.target;
  out.up = snapshot.up;
  out.standby = snapshot.is_standby;
  out.problem = snapshot.down_reason;
  for (const auto& probe : snapshot.probes) {
    if (probe->outcome != probes::Outcome::ok || !probe->samples) continue;
    for (const auto& sample : *probe->samples) {
      loadgen::ServerMetric metric{sample.metric->name, {}, sample.value};
      for (const auto& [name, value] : sample.labels) metric.labels[name] = value;
      out.metrics.push_back(std::move(metric));
    }
  }
  return out;
}

void require_schema(const pg::Conninfo& where, const std::string& schema, const StopFlag* stop) {
  auto connection =
      pg::Connection::connect(where, Deadline::in(seconds(10)), {"pantryd validate", {}, stop});
  const auto rows =
      migrate::status(connection, migrate::embedded_migrations(), Deadline::in(seconds(30)));
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

void seed_to_scale(const pg::Conninfo& where, double scale, const StopFlag* stop) {
  loadgen::SeedOptions options;
  options.shape.products = static_cast<std::int64_t>(scale * static_cast<double>(kClaimedProducts));
  options.shape.sales = static_cast<std::int64_t>(scale * static_cast<double>(kClaimedSales));
  const auto report = loadgen::seed(where, options, {}, stop);
  fmt::print("{}", report.to_text());
}

/// The workload without what is switched off: an operation of weight 0 never runs.
loadgen::Workload switched_on(loadgen::Workload workload) {
  auto& operations = workload.operations;
  operations.erase(std::remove_if(operations.begin(), operations.end(),
                                  [](const auto& each) { return !(each.weight > 0); }),
                   operations.end());
  return workload;
}

class LoadStages {
 public:
  LoadStages(const Context& context, pg::Conninfo where, Budget budget, loadgen::Workload workload)
      : context_(context),
        where_(std::move(where)),
        budget_(budget),
        workload_(switched_on(std::move(workload))) {}

  /// A closed loop of a few users, so that a slow operation queues behind nothing but itself; and
  /// a rare operation comes up often enough to be seen.
  loadgen::LoadResult paced(const loadgen::Claim& latency) const {
    auto options = common(std::nullopt, budget_.paced);
    options.users = static_cast<std::int64_t>(latency.users);
    options.connections = options.users;
    double total = 0;
    for (const auto& operation : options.workload.operations) total += operation.weight;
    for (auto& operation : options.workload.operations) {
      operation.weight = std::max(operation.weight, total * kShareMin);
    }
    announce("what each operation costs", options);
    return loadgen::run_load(where_, options, {}, context_.stop);
  }

  loadgen::LoadResult peak(const loadgen::Claim* throughput, const loadgen::Claim* users) const {
    auto options = common(throughput != nullptr ? throughput->offered : 100, budget_.peak);
    options.users = users != nullptr ? static_cast<std::int64_t>(users->at_least) : 100;
    options.connections = std::min<std::int64_t>(options.users, 1000);
    announce("the claimed load", options);
    return loadgen::run_load(where_, options, {}, context_.stop);
  }

 private:
  [[nodiscard]] loadgen::LoadOptions common(std::optional<double> rate,
                                            milliseconds duration) const {
    loadgen::LoadOptions options;
    options.workload = workload_;
    options.rate_per_s = rate;
    options.duration = duration;
    options.warmup = kWarmup;
    return options;
  }

  void announce(const char* what, const loadgen::LoadOptions& options) const {
    if (context_.json) return;
    const auto rate = options.rate_per_s ? fmt::format("{:.0f}/s, ", *options.rate_per_s) : "";
    fmt::print("load: {}: {}{} users over {} connections, {}\n", what, rate, options.users,
               options.connections, format_duration(options.duration));
    std::fflush(stdout);
  }

  const Context& context_;
  pg::Conninfo where_;
  Budget budget_;
  loadgen::Workload workload_;
};

void write_report(const std::filesystem::path& folder, const loadgen::ClaimSheet& sheet,
                  const loadgen::Evidence& evidence) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  write_file_atomically(folder / "claims.json", sheet.to_json());
  if (evidence.paced) write_file_atomically(folder / "load-paced.json", evidence.paced->to_json());
  if (evidence.peak) write_file_atomically(folder / "load-peak.json", evidence.peak->to_json());
  write_file_atomically(folder / "report.html", sheet.to_html());
}

}  // namespace

int run_validate(const Context& context, const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("claims", po::value<std::string>()->default_value(""),
                        "claim sheet; default: the one in this binary")(
      "scale", po::value<double>(),
      "first seed this share of a million products and ten million sales")(
      "schema", po::value<std::string>(), "as-built or current: refuse to validate another schema")(
      "workload", po::value<std::string>(),
      "as for load run; default: grocery, or grocery-improved with --schema current")(
      "budget", po::value<std::string>()->default_value("60s"), "time for the loads")(
      "out", po::value<std::string>()->default_value(""), "folder for the report");
  const auto values = parse("validate [--claims FILE] [--scale S] [--budget T] [--out DIR]",
                            options, {}, arguments);
  if (!values) return 0;
  const auto claims = loadgen::load_claims((*values)["claims"].as<std::string>());
  const auto budget = split(duration_option(*values, "budget"));
  const auto settings = load_settings(context);

  loadgen::ClaimSheet sheet;
  sheet.tool_version = PANTRYD_VERSION;
  sheet.started_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const auto primary = primary_target(settings, look_once(settings, context.stop));
  const auto where = primary.login();
  sheet.target = where.display();
  std::string workload = "grocery";
  if (values->count("schema") > 0) {
    const auto schema = (*values)["schema"].as<std::string>();
    if (schema == "current") workload = "grocery-improved";
    if (schema != "as-built" && schema != "current") {
      throw Error(ExitCode::usage, fmt::format("--schema {} is unknown", schema),
                  "It is as-built or current.");
    }
    require_schema(where, schema, context.stop);
  }
  if (values->count("scale") > 0) {
    const double scale = (*values)["scale"].as<double>();
    if (!(scale > 0 && scale <= 100)) {
      throw Error(ExitCode::usage, "--scale is a share above 0 and up to 100");
    }
    seed_to_scale(where, scale, context.stop);
  }

  if (values->count("workload") > 0) workload = (*values)["workload"].as<std::string>();
  const LoadStages stages(context, where, budget, loadgen::load_workload(workload));
  const auto* throughput = find_claim(claims, Check::throughput);
  const auto* users = find_claim(claims, Check::users);
  loadgen::Evidence evidence;
  if (const auto* latency = find_claim(claims, Check::latency)) {
    evidence.paced = stages.paced(*latency);
  }
  if ((throughput != nullptr || users != nullptr) && !context.stop->requested()) {
    evidence.peak = stages.peak(throughput, users);
  }
  for (const auto& snapshot : look_once(settings, nullptr)) {
    evidence.servers.push_back(evidence_of(*snapshot));
  }
  sheet.verdicts = loadgen::judge_claims(claims, evidence);
  fmt::print("{}", context.json ? sheet.to_json() : "\n" + sheet.to_text());
  const auto out = (*values)["out"].as<std::string>();
  if (!out.empty()) write_report(out, sheet, evidence);
  return static_cast<int>(exit_code_of(sheet.overall()));
}

}  // namespace pantryd::cli
