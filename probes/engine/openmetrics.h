// What differs between the two formats of a page: the head of a family, the types, and the end.
// The lines of series are the same in both, so that a probe writes them once.
//
// OpenMetrics calls the family of a counter by the name without "_total". A counter whose name
// lacks it is "unknown" there: with the type, Prometheus would look for another name.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>

#include "probes/engine/page.h"

namespace pantryd::probes {

inline constexpr std::string_view kOpenMetricsEnd = "# EOF\n";

struct FamilyHead {
  std::string_view name;  ///< of its series, with the "_total" of a counter
  std::string_view help;  ///< not escaped, on one line or more
  std::string_view type;  ///< counter, gauge, histogram or untyped
};

/// The lines "# HELP" and "# TYPE".
void append_head(std::string& out, const FamilyHead& head, PageFormat format);

/// A whole family of prometheus-cpp's model, whose own serialiser writes text 0.0.4 alone.
/// Counters, gauges, histograms and untyped ones.
void append_openmetrics(std::string& out, const prometheus::MetricFamily& family);

}  // namespace pantryd::probes
