// Invariant: a family is made once and holds the series of all targets.
//
// What is told of each probe of each target is most of a large page: 200 targets make 120,000
// series of it. Its text is written at once; the rest goes through prometheus-cpp's model, which
// takes half a kilobyte and a dozen allocations a series.
#include "probes/engine/own_metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <limits>
#include <map>

#include "probes/engine/exposition.h"
#include "probes/engine/openmetrics.h"

namespace pantryd::probes {
namespace {

using prometheus::ClientMetric;

constexpr auto kGauge = MetricType::gauge;
constexpr auto kCounter = MetricType::counter;
constexpr auto kHistogram = MetricType::histogram;

const MetricInfo kUp{"pg_up", kGauge,
                     "1 if the last attempt to use a connection to the target succeeded."};
const MetricInfo kOutcome{
    "pantryd_probe_outcome", kGauge,
    "1 for the outcome of the probe's last run, 0 for outcomes seen earlier."};
const MetricInfo kAge{"pantryd_probe_age_seconds", kGauge, "Time since the probe last succeeded."};
const MetricInfo kLastSuccess{"pantryd_probe_last_success_timestamp_seconds", kGauge,
                              "When the probe last succeeded, as Unix time."};
const MetricInfo kInterval{
    "pantryd_probe_interval_seconds", kGauge,
    "Time between runs of the probe; longer than configured if the probe is slow."};
const MetricInfo kDuration{"pantryd_probe_duration_seconds", kGauge,
                           "Duration of the probe's last run."};
const MetricInfo kBusy{"pantryd_probe_busy_seconds_total", kCounter,
                       "Total duration of the probe's runs."};
const MetricInfo kRows{"pantryd_probe_rows", kGauge,
                       "Rows that the probe's last successful run returned."};
const MetricInfo kSkipped{
    "pantryd_probe_skipped_relations", kGauge,
    "Relations that the probe's last successful run skipped because of their locks."};
const MetricInfo kLost{
    "pantryd_probe_lost_rows", kGauge,
    "Rows of the probe's last successful run that are in no series: too many of them, or labels "
    "that equal those of another row; the log says which."};
const MetricInfo kOther{
    "pantryd_probe_other_rows", kGauge,
    "Rows of the probe's last successful run that have no series of their own because of a limit; "
    "the series called \"other\" is made of them. Absent without a limit."};
const MetricInfo kVisited{"pantryd_databases_visited", kGauge,
                          "Databases that the probes of tables and indexes visit."};
const MetricInfo kLeftOut{
    "pantryd_databases_left_out", kGauge,
    "Databases that the configuration asks for and that are not visited, by reason: limit "
    "(probes.databases_max), denied (no right to connect), invalid (half dropped)."};
const MetricInfo kRuns{"pantryd_probe_runs_total", kCounter, "Runs of the probe by outcome."};
const MetricInfo kRight{
    "pantryd_probe_missing_right", kGauge,
    "1 if the probe lacks this role and so sees less; any one of the listed roles is enough."};
const MetricInfo kConnections{"pantryd_pool_connections", kGauge,
                              "Connections of the pool by state."};
const MetricInfo kWaiting{"pantryd_pool_waiting", kGauge, "Borrowers that wait for a connection."};
const MetricInfo kLimit{"pantryd_pool_limit", kGauge, "Connections that the pool may have."};
const MetricInfo kBreaker{"pantryd_pool_breaker_state", kGauge,
                          "1 for the current state of the breaker, 0 for the others."};
const MetricInfo kWait{"pantryd_pool_acquire_wait_seconds", kHistogram,
                       "Time from the request for a connection to its grant or refusal."};
const MetricInfo kHold{"pantryd_pool_hold_seconds", kHistogram,
                       "Time from the grant of a connection to its return."};
const MetricInfo kCreates{"pantryd_pool_creates_total", kCounter, "Connections opened."};
const MetricInfo kCreateFailures{"pantryd_pool_create_failures_total", kCounter,
                                 "Connections that could not be opened, by cause."};
const MetricInfo kCloses{"pantryd_pool_closes_total", kCounter, "Connections closed, by cause."};
const MetricInfo kRefusals{"pantryd_pool_refusals_total", kCounter,
                           "Borrowers that got no connection, by cause."};
const MetricInfo kLeaks{"pantryd_pool_leaks_total", kCounter,
                        "Connections held for longer than leak_after."};
const MetricInfo kBuild{"pantryd_build_info", kGauge, "1, with the version of pantryd as a label."};
const MetricInfo kCpu{"process_cpu_seconds_total", kCounter,
                      "User and system time that pantryd has used."};
const MetricInfo kResident{"process_resident_memory_bytes", kGauge, "Memory that pantryd holds."};

const MetricInfo kReloadOk{"pantryd_config_last_reload_successful", kGauge,
                           "0 if the configuration was refused when it was last read."};
const MetricInfo kReloadAt{"pantryd_config_last_reload_timestamp_seconds", kGauge,
                           "When the configuration was last read, as Unix time."};

constexpr const char* kPoolName = "probes";

double seconds(std::chrono::duration<double> value) {
  return value.count();
}

double epoch(WallClock::time_point when) {
  return seconds(std::chrono::duration<double>(when.time_since_epoch()));
}

prometheus::MetricType type_of(const MetricInfo& info) {
  if (info.type == kCounter) return prometheus::MetricType::Counter;
  if (info.type == kHistogram) return prometheus::MetricType::Histogram;
  return prometheus::MetricType::Gauge;
}

class Own {
 public:
  void add(const MetricInfo& info, const Labels& labels, double value) {
    auto metric = labelled(labels);
    (info.type == kCounter ? metric.counter.value : metric.gauge.value) = value;
    family(info).metric.push_back(std::move(metric));
  }

  void add(const MetricInfo& info, const Labels& labels, const DurationHistogram& histogram) {
    auto metric = labelled(labels);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      below += static_cast<std::uint64_t>(histogram.counts[i]);
      const bool last = i == DurationHistogram::kBounds_s.size();
      metric.histogram.bucket.push_back({below, last ? std::numeric_limits<double>::infinity()
                                                     : DurationHistogram::kBounds_s[i]});
    }
    metric.histogram.sample_count = below;
    metric.histogram.sample_sum = histogram.sum_s;
    family(info).metric.push_back(std::move(metric));
  }

  [[nodiscard]] std::string take(PageFormat format) {
    if (format == PageFormat::openmetrics) {
      std::string out;
      for (const auto& [name, family] : families_) append_openmetrics(out, family);
      return out;
    }
    std::vector<prometheus::MetricFamily> list;
    list.reserve(families_.size());
    for (auto& [name, family] : families_) list.push_back(std::move(family));
    return prometheus::TextSerializer().Serialize(list);
  }

 private:
  prometheus::MetricFamily& family(const MetricInfo& info) {
    auto& out = families_[info.name];
    if (out.metric.empty()) {
      out.name = info.name;
      out.help = info.help;
      out.type = type_of(info);
    }
    return out;
  }

  static ClientMetric labelled(Labels labels) {
    std::sort(labels.begin(), labels.end());
    ClientMetric out;
    out.label.reserve(labels.size());
    for (const auto& [name, value] : labels) out.label.push_back({name, utf8_or_escaped(value)});
    return out;
  }

  std::map<std::string_view, prometheus::MetricFamily> families_;
};

/// Families whose text is written at once.
class Lines {
 public:
  explicit Lines(PageFormat format) : format_(format) {}
  /// `labels` as they stand between the braces.
  void add(const MetricInfo& info, std::string_view labels, double value) {
    auto& lines = lines_[info.name];
    if (lines.empty()) {
      append_head(lines, {info.name, info.help, info.type == kCounter ? "counter" : "gauge"},
                  format_);
    }
    lines += info.name;
    lines += '{';
    lines += labels;
    lines += "} ";
    append_value(lines, value);
    lines += '\n';
  }
  void append_to(std::string& out) const {
    for (const auto& [name, lines] : lines_) out += lines;
  }

 private:
  const PageFormat format_;
  std::map<std::string_view, std::string> lines_;  ///< by the metric's name
};

Labels with(Labels labels, const char* name, std::string_view value) {
  labels.emplace_back(name, value);
  return labels;
}

std::string label(const char* name, std::string_view value) {
  std::string out = name;
  out += "=\"";
  append_label_value(out, value);
  out += '"';
  return out;
}

void add_probe(Lines& page, const std::string& target_label, const ProbeState& probe,
               WallClock::time_point now) {
  auto labels = label("probe", probe.name) + ',' + target_label;
  if (!probe.database.empty()) labels = label("datname", probe.database) + ',' + labels;
  for (const auto outcome : kOutcomes) {
    const auto runs = probe.runs[static_cast<std::size_t>(outcome)];
    if (runs == 0 && probe.outcome != outcome && outcome != Outcome::ok) continue;
    auto of_outcome = labels;
    const auto at = probe.database.empty() ? 0 : label("datname", probe.database).size() + 1;
    of_outcome.insert(at, label("outcome", to_string(outcome)) + ',');
    page.add(kOutcome, of_outcome, probe.outcome == outcome ? 1 : 0);
    page.add(kRuns, of_outcome, static_cast<double>(runs));
  }
  page.add(kInterval, labels, seconds(probe.interval));
  page.add(kDuration, labels, seconds(probe.duration));
  page.add(kBusy, labels, seconds(probe.total_duration));
  page.add(kRows, labels, static_cast<double>(probe.rows));
  if (probe.skipped > 0) page.add(kSkipped, labels, static_cast<double>(probe.skipped));
  for (const auto& right : probe.missing_rights) {
    auto of_right = labels;
    of_right.insert(labels.size() - target_label.size(), label("right", right) + ',');
    page.add(kRight, of_right, 1);
  }
  if (!probe.last_success) return;
  page.add(kLost, labels, static_cast<double>(probe.lost));
  if (probe.other) page.add(kOther, labels, static_cast<double>(*probe.other));
  page.add(kAge, labels, std::max(0.0, seconds(now - *probe.last_success)));
  page.add(kLastSuccess, labels, epoch(*probe.last_success));
}

template <typename Word, std::size_t kCount>
void add_by_cause(Own& page, const MetricInfo& info, const Labels& labels,
                  const std::array<std::int64_t, kCount>& counts) {
  for (std::size_t i = 0; i < kCount; ++i) {
    page.add(info, with(labels, "cause", pool::to_string(static_cast<Word>(i))),
             static_cast<double>(counts[i]));
  }
}

void add_pool(Own& page, const std::string& target, const PoolStatistics& pool) {
  const Labels labels{{"target", target}, {"pool", kPoolName}};
  page.add(kConnections, with(labels, "state", "in_use"), pool.now.in_use);
  page.add(kConnections, with(labels, "state", "idle"), pool.now.idle);
  page.add(kConnections, with(labels, "state", "connecting"), pool.now.connecting);
  page.add(kWaiting, labels, pool.now.waiting);
  page.add(kLimit, labels, pool.size_max);
  for (const auto state : {pool::Breaker::closed, pool::Breaker::open, pool::Breaker::half_open}) {
    page.add(kBreaker, with(labels, "state", pool::to_string(state)), pool.breaker == state);
  }
  page.add(kWait, labels, pool.acquire_wait);
  page.add(kHold, labels, pool.hold);
  page.add(kCreates, labels, static_cast<double>(pool.creates_total));
  page.add(kLeaks, labels, static_cast<double>(pool.leaks_total));
  add_by_cause<pool::ConnectFailure>(page, kCreateFailures, labels, pool.create_failures_total);
  add_by_cause<pool::CloseCause>(page, kCloses, labels, pool.closes_total);
  add_by_cause<pool::Refusal>(page, kRefusals, labels, pool.refusals_total);
}

void add_databases(Own& page, const std::string& target, const DatabaseCounts& databases) {
  const Labels labels{{"target", target}};
  page.add(kVisited, labels, static_cast<double>(databases.visited));
  const auto left_out = [&](const char* reason, std::int64_t count) {
    page.add(kLeftOut, with(labels, "reason", reason), static_cast<double>(count));
  };
  left_out("limit", databases.over_limit);
  left_out("denied", databases.denied);
  left_out("invalid", databases.invalid);
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void add_process(Own& page, const std::string& version) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  page.add(kBuild, {{"version", version}}, 1);
  page.add(kCpu, {}, of(usage.ru_utime) + of(usage.ru_stime));
  page.add(kResident, {}, resident_bytes());
}

}  // namespace

std::string render_own(const PageInputs& inputs) {
  Own page;
  Lines probes(inputs.format);
  add_process(page, inputs.version);
  if (inputs.reload) {
    page.add(kReloadOk, {}, inputs.reload->succeeded ? 1 : 0);
    page.add(kReloadAt, {}, epoch(inputs.reload->at));
  }
  for (const auto& target : inputs.targets) {
    if (target->looked()) page.add(kUp, {{"target", target->target}}, target->up ? 1 : 0);
    if (target->pool) add_pool(page, target->target, *target->pool);
    if (target->databases) add_databases(page, target->target, *target->databases);
    const auto target_label = label("target", target->target);
    for (const auto& probe : target->probes) add_probe(probes, target_label, *probe, inputs.now);
  }
  auto out = page.take(inputs.format);
  probes.append_to(out);
  return out;
}

std::vector<MetricInfo> own_metrics() {
  return {kUp,       kOutcome, kAge,      kLastSuccess, kInterval,       kDuration,
          kBusy,     kRows,    kSkipped,  kLost,        kOther,          kVisited,
          kLeftOut,  kRuns,    kRight,    kConnections, kWaiting,        kLimit,
          kBreaker,  kWait,    kHold,     kCreates,     kCreateFailures, kCloses,
          kRefusals, kLeaks,   kReloadOk, kReloadAt,    kBuild,          kCpu,
          kResident};
}

}  // namespace pantryd::probes
