// What a probe that is code says of itself, and how it tells values by the names that it announced.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "probes/engine/snapshot.h"

namespace pantryd::probes {

struct CodedMetric {
  MetricInfo info;
  std::vector<std::string> labels;
};

/// For the list of metrics, and for who makes the probe.
struct CodedDescription {
  std::string name;
  std::string summary;  ///< sentences
  std::chrono::milliseconds interval{30'000};
  std::chrono::milliseconds timeout{5'000};
  std::vector<CodedMetric> metrics;
};

/// Collects the samples of one run.
class SampleList {
 public:
  explicit SampleList(const CodedDescription& description);

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

}  // namespace pantryd::probes
