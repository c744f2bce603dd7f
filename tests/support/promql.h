// As much of PromQL as a lint needs: which metrics an expression reads, and inside what.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pantryd::testing_support {

struct MetricUse {
  std::string name;
  std::string function;  ///< the innermost function around it: "rate", "max"; empty: none
};

/// The metrics of an expression, in order. Names in label lists (by, on, group_left...) and in
/// matchers are none. `expression` need not be valid; the answer then is a guess.
[[nodiscard]] std::vector<MetricUse> metrics_of(std::string_view expression);

/// The expression as Grafana would send it, for every target and a short rate interval.
[[nodiscard]] std::string substituted(std::string expression);

/// One query of one panel.
struct DashboardQuery {
  std::string where;  ///< "overview.json: Panel title, query A"
  std::string panel_type;
  std::string expression;  ///< as written
};

/// Every query of every dashboard in the source's dashboards/grafana. Throws what the JSON parser
/// throws; at least one query is there.
[[nodiscard]] std::vector<DashboardQuery> dashboard_queries(const std::string& source_dir);

}  // namespace pantryd::testing_support
