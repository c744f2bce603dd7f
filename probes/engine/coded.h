// Probes that are code: how one reports values by the names that it announced, and how it is run.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"
#include "probes/engine/description.h"
#include "probes/engine/run.h"
#include "probes/engine/snapshot.h"

namespace pantryd::probes {

/// Collects the samples of one run.
class SampleList {
 public:
  explicit SampleList(const ProbeDescription& description);

  /// The values of the labels in the order in which the metric announced them; an empty one is
  /// left out, which is the same to Prometheus. Throws
  /// std::out_of_range for a metric that was not announced, or another number of labels.
  void add(const std::string& metric, const std::vector<std::string>& labels, double value);
  void add(const std::string& metric, double value) { add(metric, {}, value); }
  [[nodiscard]] std::vector<Sample> take() { return std::move(samples_); }

 private:
  struct Announced {
    std::shared_ptr<const MetricInfo> info;
    std::vector<std::string> labels;
  };
  std::map<std::string, Announced> announced_;
  std::vector<Sample> samples_;
};

/// A probe that needs no connection, such as one that reads a folder of backups.
struct LocalProbe {
  std::string name;
  std::chrono::milliseconds interval{60'000};
  std::chrono::milliseconds timeout{20'000};
  /// May block: it runs on a thread of its own under `timeout`, so it owns what it touches.
  std::function<ProbeRun(Deadline)> run;
};

/// A probe that needs a connection and cannot be said in SQL alone.
struct ServerProbe {
  std::string name;
  std::chrono::milliseconds interval{30'000};
  std::chrono::milliseconds timeout{5'000};
  /// May throw PgError; the watcher makes an outcome of it.
  std::function<ProbeRun(pg::Connection&, const TargetFacts&, Deadline)> run;
};

/// Probes that run as their description says.
[[nodiscard]] ServerProbe server_probe(
    const ProbeDescription& description,
    std::function<ProbeRun(pg::Connection&, const TargetFacts&, Deadline)> run);

[[nodiscard]] LocalProbe local_probe(const ProbeDescription& description,
                                     std::function<ProbeRun(Deadline)> run);

/// A run that came to nothing.
[[nodiscard]] ProbeRun failed_run(const std::string& error, Outcome outcome = Outcome::error);
/// One run, timed, its errors made outcomes. Throws nothing.
[[nodiscard]] ProbeRun run_server_probe(const ServerProbe& probe, pg::Connection& connection,
                                        const TargetFacts& facts);
/// The same; a run that takes too long is left behind on its thread.
[[nodiscard]] ProbeRun run_local_probe(const LocalProbe& probe, const StopFlag& stop);

}  // namespace pantryd::probes
