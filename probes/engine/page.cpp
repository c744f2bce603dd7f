// Invariants: a series appears once; every family has a help text on one line; families that
// Prometheus' linter would refuse under the peer's type are told as untyped.
#include "probes/engine/page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>

#include "base/error.h"

namespace pantryd::probes {
namespace {

double seconds(std::chrono::duration<double> value) {
  return value.count();
}

double epoch(WallClock::time_point when) {
  return seconds(std::chrono::duration<double>(when.time_since_epoch()));
}

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// postgres_exporter calls pg_stat_database_xact_commit a counter, which `promtool check metrics`
/// refuses for want of "_total". Prometheus computes the same from an untyped series.
prometheus::MetricType page_type(const MetricInfo& info) {
  const bool total = ends_with(info.name, "_total");
  if (info.type == MetricType::untyped) return prometheus::MetricType::Untyped;
  if (info.type == MetricType::counter) {
    return total ? prometheus::MetricType::Counter : prometheus::MetricType::Untyped;
  }
  for (const char* reserved : {"_count", "_sum", "_bucket"}) {
    if (ends_with(info.name, reserved)) return prometheus::MetricType::Untyped;
  }
  return prometheus::MetricType::Gauge;
}

class Page {
 public:
  void add(const MetricInfo& info, Labels labels, double value) {
    std::sort(labels.begin(), labels.end());
    auto& family = families_[info.name];
    if (!seen_[info.name].insert(labels).second) return;
    if (family.metric.empty()) {
      family.name = info.name;
      family.help = one_line(info.help);
      family.type = page_type(info);
    }
    prometheus::ClientMetric metric;
    for (auto& [name, text] : labels) metric.label.push_back({name, std::move(text)});
    switch (family.type) {
      case prometheus::MetricType::Counter:
        metric.counter.value = value;
        break;
      case prometheus::MetricType::Gauge:
        metric.gauge.value = value;
        break;
      default:
        metric.untyped.value = value;
        break;
    }
    family.metric.push_back(std::move(metric));
  }

  [[nodiscard]] std::string text() const {
    std::vector<prometheus::MetricFamily> list;
    list.reserve(families_.size());
    for (const auto& [name, family] : families_) list.push_back(family);
    return prometheus::TextSerializer().Serialize(list);
  }

 private:
  std::map<std::string, prometheus::MetricFamily> families_;
  std::map<std::string, std::set<Labels>> seen_;
};

const MetricInfo kUp{"pg_up", MetricType::gauge,
                     "1 when the last attempt to use a connection to the target succeeded."};
const MetricInfo kOutcome{"pantryd_probe_outcome", MetricType::gauge,
                          "1 for how the probe's last run ended, 0 for every other way."};
const MetricInfo kAge{"pantryd_probe_age_seconds", MetricType::gauge,
                      "Time since the probe last succeeded."};
const MetricInfo kLastSuccess{"pantryd_probe_last_success_timestamp_seconds", MetricType::gauge,
                              "When the probe last succeeded, as Unix time."};
const MetricInfo kInterval{"pantryd_probe_interval_seconds", MetricType::gauge,
                           "How often the probe runs."};
const MetricInfo kDuration{"pantryd_probe_duration_seconds", MetricType::gauge,
                           "How long the probe's last run took."};
const MetricInfo kRows{"pantryd_probe_rows", MetricType::gauge,
                       "Rows that the probe's last success returned."};
const MetricInfo kRuns{"pantryd_probe_runs_total", MetricType::counter,
                       "Runs of the probe by how they ended."};
const MetricInfo kBuild{"pantryd_build_info", MetricType::gauge,
                        "1, with the version of pantryd as a label."};
const MetricInfo kCpu{"process_cpu_seconds_total", MetricType::counter,
                      "User and system time that pantryd has used."};
const MetricInfo kResident{"process_resident_memory_bytes", MetricType::gauge,
                           "Memory that pantryd holds."};

void add_probe(Page& page, const std::string& target, const ProbeState& probe,
               WallClock::time_point now) {
  const Labels labels{{"target", target}, {"probe", probe.name}};
  const auto with_outcome = [&](Outcome outcome) {
    auto out = labels;
    out.emplace_back("outcome", to_string(outcome));
    return out;
  };
  for (const auto outcome : kOutcomes) {
    page.add(kOutcome, with_outcome(outcome), probe.outcome == outcome ? 1 : 0);
    const auto runs = probe.runs.find(outcome);
    page.add(kRuns, with_outcome(outcome),
             runs == probe.runs.end() ? 0 : static_cast<double>(runs->second));
  }
  page.add(kInterval, labels, seconds(probe.interval));
  page.add(kDuration, labels, seconds(probe.duration));
  page.add(kRows, labels, static_cast<double>(probe.rows));
  if (probe.last_success) {
    page.add(kAge, labels, std::max(0.0, seconds(now - *probe.last_success)));
    page.add(kLastSuccess, labels, epoch(*probe.last_success));
  }
  if (!probe.samples) return;
  for (const auto& sample : *probe.samples) {
    auto with_target = sample.labels;
    with_target.emplace_back("target", target);
    page.add(*sample.metric, std::move(with_target), sample.value);
  }
}

double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double total_pages = 0;
  double resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

void add_process(Page& page, const std::string& version) {
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

std::string render_page(const PageInputs& inputs) {
  Page page;
  add_process(page, inputs.version);
  for (const auto& target : inputs.targets) {
    page.add(kUp, {{"target", target->target}}, target->up ? 1 : 0);
    for (const auto& probe : target->probes) add_probe(page, target->target, probe, inputs.now);
  }
  return page.text();
}

std::vector<MetricInfo> own_metrics() {
  return {kUp,   kOutcome, kAge,   kLastSuccess, kInterval, kDuration,
          kRows, kRuns,    kBuild, kCpu,         kResident};
}

}  // namespace pantryd::probes
