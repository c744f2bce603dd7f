// Invariants between two calls: known_ holds each row of the last look, and those that were missing
// from the last kMissingMax at most; a counter in rests_ never falls.
#include "probes/engine/bound.h"

#include <algorithm>
#include <cmath>

namespace pantryd::probes {
namespace {

/// Who is in stays until another one is worth so much more.
constexpr double kIncumbency = 1.5;
/// A row that is left out for a while (its relation is locked) comes back as what it was.
constexpr int kMissingMax = 20;
constexpr const char* kOther = "other";

std::string key_of(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += value;
    out += '\x1f';
  }
  return out;
}

void add_known(double& sum, double value) {
  if (std::isnan(value)) return;
  sum = std::isnan(sum) ? value : sum + value;
}

}  // namespace

std::vector<BoundRow> Bounder::apply(std::vector<BoundRow> rows, std::int32_t limit) {
  const bool first_look = by_entries() && count_growth(rows);
  merge_equals(rows);
  const auto room = static_cast<std::size_t>(std::max(1, limit));
  const bool over = rows.size() > room || !rests_.empty();
  const std::size_t others = std::max<std::size_t>(1, rests_.size());
  const std::size_t stay =
      over ? std::min(rows.size(), room > others ? room - others : 1) : rows.size();
  put_best_first(rows, stay);
  left_out_ = static_cast<std::int64_t>(rows.size() - stay);

  for (auto& [key, rest] : rests_) {
    for (std::size_t i = 0; i < rest.values.size(); ++i) {
      // Counters go on from where they were; what is, is counted anew.
      if (query_.metrics[i].metric->type != MetricType::counter) rest.values[i] = std::nan("");
    }
  }
  for (std::size_t i = stay; i < rows.size(); ++i) add_to_rest(rows[i]);
  for (std::size_t i = 0; i < stay && by_entries(); ++i) go_on(rows[i], first_look);
  remember(rows, stay);

  rows.resize(stay);
  for (const auto& [key, rest] : rests_) rows.push_back(rest);
  return rows;
}

/// True for the first look.
bool Bounder::count_growth(std::vector<BoundRow>& rows) {
  const bool first_look = growth_.first_look();
  totals_.resize(query_.metrics.size());
  for (auto& row : rows) {
    row.grown = growth_.grown(key_of(row.labels) + row.entry, row.values);
    if (first_look) continue;
    for (std::size_t i = 0; i < totals_.size(); ++i) {
      if (query_.metrics[i].metric->type == MetricType::counter)
        add_known(totals_[i], row.grown[i]);
    }
  }
  growth_.end_look();
  return first_look;
}

void Bounder::merge_equals(std::vector<BoundRow>& rows) const {
  std::unordered_map<std::string, std::size_t> first;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [found, fresh] = first.emplace(key_of(rows[i].labels), kept);
    if (fresh) {
      if (kept != i) rows[kept] = std::move(rows[i]);
      ++kept;
      continue;
    }
    auto& into = rows[found->second];
    for (std::size_t k = 0; k < into.values.size(); ++k)
      add_known(into.values[k], rows[i].values[k]);
    for (std::size_t k = 0; k < into.grown.size(); ++k) add_known(into.grown[k], rows[i].grown[k]);
    into.rank += rows[i].rank;
  }
  rows.resize(kept);
}

void Bounder::put_best_first(std::vector<BoundRow>& rows, std::size_t stay) const {
  for (auto& row : rows) {
    const auto known = known_.find(key_of(row.labels));
    if (known != known_.end() && known->second.stays) row.rank *= kIncumbency;
  }
  const auto better = [](const BoundRow& a, const BoundRow& b) {
    return a.rank != b.rank ? a.rank > b.rank : a.labels < b.labels;
  };
  if (stay < rows.size()) {
    std::nth_element(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(stay), rows.end(),
                     better);
  }
}

Labels Bounder::rest_labels(const Labels& labels) const {
  Labels out = labels;
  const auto& keep = query_.bound->keep;
  for (auto& [name, value] : out) {
    if (std::find(keep.begin(), keep.end(), name) == keep.end()) value = kOther;
  }
  return out;
}

BoundRow& Bounder::rest_of(const BoundRow& row) {
  const auto labels = rest_labels(row.labels);
  auto& rest = rests_[key_of(labels)];
  if (rest.values.empty()) {
    rest.labels = labels;
    rest.values.assign(row.values.size(), std::nan(""));
  }
  return rest;
}

double Bounder::growth_of(const BoundRow& row, std::size_t metric) const {
  if (by_entries()) return row.grown[metric];
  const auto known = known_.find(key_of(row.labels));
  const double before = known == known_.end() ? 0 : known->second.values[metric];
  // Less than before: it began anew.
  return row.values[metric] >= before ? row.values[metric] - before : row.values[metric];
}

/// A row that was in goes on from what was told of it; of one that comes in now, what it grew by is
/// told by the rest this once.
void Bounder::go_on(BoundRow& row, bool first_look) {
  const auto known = known_.find(key_of(row.labels));
  const bool was_in = known != known_.end() && known->second.stays;
  BoundRow* rest = was_in || first_look || rests_.empty() ? nullptr : &rest_of(row);
  for (std::size_t i = 0; i < row.values.size(); ++i) {
    const auto& metric = query_.metrics[i];
    if (metric.metric->type != MetricType::counter || std::isnan(row.grown[i])) continue;
    if (was_in && !std::isnan(known->second.values[i])) {
      row.values[i] = known->second.values[i] + row.grown[i];
    } else if (rest != nullptr && metric.rest != Rest::none) {
      add_known(rest->values[i], row.grown[i]);
    }
  }
}

void Bounder::add_to_rest(const BoundRow& row) {
  auto& rest = rest_of(row);
  for (std::size_t i = 0; i < row.values.size(); ++i) {
    const auto& metric = query_.metrics[i];
    const double value = row.values[i];
    if (std::isnan(value) || metric.rest == Rest::none) continue;
    if (metric.metric->type == MetricType::counter) {
      add_known(rest.values[i], growth_of(row, i));
    } else if (metric.rest == Rest::max) {
      rest.values[i] = std::fmax(rest.values[i], value);
    } else if (metric.rest == Rest::min) {
      rest.values[i] = std::fmin(rest.values[i], value);
    } else {
      add_known(rest.values[i], value);
    }
  }
}

void Bounder::remember(const std::vector<BoundRow>& rows, std::size_t stay) {
  for (auto& [key, known] : known_) ++known.missing;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    known_[key_of(rows[i].labels)] = {rows[i].values, i < stay, 0};
  }
  for (auto each = known_.begin(); each != known_.end();) {
    each = each->second.missing > (by_entries() ? 0 : kMissingMax) ? known_.erase(each)
                                                                   : std::next(each);
  }
}

}  // namespace pantryd::probes
