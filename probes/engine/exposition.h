// Series as text, in the form of a page: Prometheus text format 0.0.4. Written once when a probe
// has run, so that a scrape only copies.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "probes/engine/snapshot.h"

namespace pantryd::probes {

/// `text` as a label's value: UTF-8 (bytes that are not become \\xNN), quotes and newlines escaped.
void append_label_value(std::string& out, std::string_view text);

/// `text` with what is not UTF-8 as \\xNN: a SQL_ASCII database may hold anything.
[[nodiscard]] std::string utf8_or_escaped(std::string_view text);

/// As short as it can be without loss; NaN, +Inf and -Inf as Prometheus reads them.
void append_value(std::string& out, double value);

/// Collects the series of one run. A series that comes twice is told once: the first.
class Exposition {
 public:
  /// Every series carries target="...".
  explicit Exposition(std::string_view target);

  /// Labels rendered for add(): once a row, however many metrics it has. Not escaped yet.
  [[nodiscard]] std::string labels(const Labels& labels) const;

  void add(const std::shared_ptr<const MetricInfo>& metric, const std::string& labels,
           double value);
  /// Cumulative `counts` by upper bound in `bounds`, +Inf not among them.
  void add_histogram(const std::shared_ptr<const MetricInfo>& metric, const std::string& labels,
                     const std::vector<double>& bounds, const std::vector<double>& counts,
                     double sum, double count);
  void add(const Sample& sample) { add(sample.metric, labels(sample.labels), sample.value); }

  /// Series that came twice.
  [[nodiscard]] std::int64_t lost() const { return lost_; }
  [[nodiscard]] std::vector<FamilyText> take();

 private:
  struct Building {
    FamilyText text;
    std::unordered_set<std::string> seen;
  };
  Building* open(const std::shared_ptr<const MetricInfo>& metric, const std::string& labels);

  std::string target_label_;
  std::map<std::string_view, Building> families_;  ///< by the metric's name
  std::int64_t lost_ = 0;
};

}  // namespace pantryd::probes
