// Merges values by the rules of a query. The order of the rows is kept: the first of those with
// equal labels stays in its place.
#include "probes/engine/same_labels.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace pantryd::probes {

SameLabels rule_of(const QuerySpec& query, std::size_t metric) {
  return query.metrics[metric].same_labels.value_or(query.same_labels);
}

bool merges_all(const QuerySpec& query) {
  for (std::size_t i = 0; i < query.metrics.size(); ++i) {
    if (rule_of(query, i) == SameLabels::lost) return false;
  }
  return true;
}

void merge_value(SameLabels rule, double& into, double value) {
  switch (rule) {
    case SameLabels::max:
      into = std::fmax(into, value);
      return;
    case SameLabels::min:
      into = std::fmin(into, value);
      return;
    case SameLabels::sum:
      into += value;
      return;
    case SameLabels::number:
    case SameLabels::lost:
      return;
  }
}

std::int64_t merge_same_labels(const QuerySpec& query, std::vector<BoundRow>& rows) {
  std::unordered_map<std::string, std::size_t> first;
  std::int64_t merged = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string key;
    for (const auto& [name, value] : rows[i].labels) key += value + '\x1f';
    const auto [found, fresh] = first.emplace(std::move(key), kept);
    if (fresh) {
      if (kept != i) rows[kept] = std::move(rows[i]);
      ++kept;
      continue;
    }
    ++merged;
    auto& into = rows[found->second];
    for (std::size_t k = 0; k < into.values.size(); ++k) {
      merge_value(rule_of(query, k), into.values[k], rows[i].values[k]);
    }
    into.rank = std::max(into.rank, rows[i].rank);
  }
  rows.resize(kept);
  return merges_all(query) ? 0 : merged;
}

}  // namespace pantryd::probes
