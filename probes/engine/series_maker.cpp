// Invariant: a value of the answer is in a series, in "other", merged by the rule of the probe's
// file, or its row is counted in run_.lost.
#include "probes/engine/series_maker.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "base/error.h"
#include "probes/engine/relation_share.h"
#include "probes/engine/same_labels.h"

namespace pantryd::probes {
namespace {

constexpr const char* kDatabaseLabel = "datname";

std::vector<double> parse_array(std::string_view text) {
  std::vector<double> out;
  if (text.size() < 2 || text.front() != '{') return out;
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const auto comma = text.find(',');
    double value = 0;
    const auto item = text.substr(0, comma);
    std::from_chars(item.data(), item.data() + item.size(), value);
    out.push_back(value);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return out;
}

}  // namespace

SeriesMaker::SeriesMaker(const ProbeSpec& spec, const TargetFacts& facts, const RunOptions& options,
                         ProbeRun& run)
    : spec_(spec),
      facts_(facts),
      options_(options),
      database_(spec.scope == Scope::cluster
                    ? ""
                    : (options.database.empty() ? facts.database : options.database)),
      run_(run),
      page_(options.target) {}

SeriesMaker::Columns SeriesMaker::find_columns(const QuerySpec& query,
                                               const pg::Result& result) const {
  Columns out;
  const auto find = [&](const std::string& name) {
    const int at = result.column(name);
    if (at < 0) out.missing += (out.missing.empty() ? "" : ", ") + name;
    return at;
  };
  for (const auto& label : query.labels) {
    const bool ours = !database_.empty() && label == kDatabaseLabel;
    out.labels.push_back(ours ? result.column(label) : find(label));
    if (out.labels.back() < 0 && !ours) {
      throw Error(ExitCode::failed, fmt::format("the answer has no column {}", label));
    }
  }
  for (const auto& metric : query.metrics) out.metrics.push_back(find(metric.column));
  if (query.bound) {
    for (const auto& name : query.bound->by) out.by.push_back(find(name));
    for (const auto& name : query.bound->entries) out.entries.push_back(find(name));
  }
  if (!query.skipped.empty()) out.skipped = find(query.skipped);
  return out;
}

void SeriesMaker::add(std::size_t query_index, const pg::Result& result, Bounder* bounder) {
  const auto& query = spec_.queries[query_index];
  const auto columns = find_columns(query, result);
  if (!columns.missing.empty()) {
    run_.error = fmt::format("the answer has no column {}", columns.missing);
  }
  const int rows = std::min(result.rows(), bounder == nullptr ? kRowsMax : kBoundedRowsMax);
  run_.rows += result.rows();
  if (rows < result.rows()) {
    run_.error = fmt::format("only {} of {} rows", rows, result.rows());
    run_.lost += result.rows() - rows;
  }
  if (columns.skipped >= 0 && rows > 0) {
    run_.skipped += result.maybe_i64(0, columns.skipped).value_or(0);
  }
  const Answer answer{query, columns, result, rows};
  if (bounder == nullptr) {
    add_all(answer);
  } else {
    add_bounded(answer, *bounder, fmt::format("{} {}", spec_.name, query_index));
  }
}

/// A server may spell the name of a database in two ways: the catalogue is one for all databases,
/// and each reads it in its own encoding. The label is the name that the target's own one reads.
Labels SeriesMaker::labels_of(const Answer& answer, int row) const {
  Labels out;
  out.reserve(answer.query.labels.size());
  for (std::size_t i = 0; i < answer.query.labels.size(); ++i) {
    const auto& name = answer.query.labels[i];
    const int column = answer.columns.labels[i];
    const auto text = column < 0 ? std::string_view{} : answer.result.text(row, column);
    const bool visited =
        !database_.empty() && name == kDatabaseLabel && (column < 0 || text == facts_.database);
    out.emplace_back(name, visited ? std::string_view(database_) : text);
  }
  return out;
}

void SeriesMaker::add_all(const Answer& answer) {
  std::vector<std::string> rendered;
  rendered.reserve(static_cast<std::size_t>(answer.rows));
  std::unordered_map<std::string_view, int> first;
  std::unordered_map<int, std::vector<int>> twins;  // by the first row of equal labels
  for (int row = 0; row < answer.rows; ++row) {
    rendered.push_back(page_.labels(labels_of(answer, row)));
    const auto [found, fresh] = first.emplace(rendered.back(), row);
    if (!fresh) twins[found->second].push_back(row);
  }
  if (!merges_all(answer.query)) run_.lost += answer.rows - static_cast<int>(first.size());
  for (int row = 0; row < answer.rows; ++row) {
    const auto& text = rendered[static_cast<std::size_t>(row)];
    if (first.at(text) != row) continue;
    const auto found = twins.find(row);
    add_row(answer, row, text, found == twins.end() ? std::vector<int>{} : found->second);
  }
}

void SeriesMaker::add_row(const Answer& answer, int row, const std::string& rendered,
                          const std::vector<int>& twins) {
  const auto labels = labels_of(answer, row);
  for (std::size_t i = 0; i < answer.query.metrics.size(); ++i) {
    const int column = answer.columns.metrics[i];
    if (column < 0) continue;
    const auto& metric = answer.query.metrics[i];
    const auto rule = rule_of(answer.query, i);
    const bool histogram = metric.metric->type == MetricType::histogram;
    // NULL is "not known", which is never zero.
    const auto value_of = [&](int at) {
      return answer.result.maybe_f64(at, column).value_or(std::nan(""));
    };
    const auto add_one = [&](int at, const Labels& of, const std::string& text) {
      if (histogram) {
        add_histogram(metric, column, answer.result, at, text);
      } else {
        add_value(metric.metric, of, text, value_of(at));
      }
    };
    if (histogram || rule == SameLabels::number || twins.empty()) {
      add_one(row, labels, rendered);
    } else {
      auto value = value_of(row);
      for (const int twin : twins) merge_value(rule, value, value_of(twin));
      add_value(metric.metric, labels, rendered, value);
    }
    if (rule != SameLabels::number) continue;
    for (std::size_t n = 0; n < twins.size(); ++n) {
      auto numbered = labels;
      numbered.emplace_back(kRowLabel, std::to_string(n + 2));
      add_one(twins[n], numbered, page_.labels(numbered));
    }
  }
}

void SeriesMaker::add_value(const std::shared_ptr<const MetricInfo>& metric, const Labels& labels,
                            const std::string& rendered, double value) {
  if (std::isnan(value)) return;
  page_.add(metric, rendered, value);
  if (options_.with_samples) run_.samples.push_back({metric, labels, value});
}

void SeriesMaker::add_histogram(const MetricColumn& metric, int column, const pg::Result& result,
                                int row, const std::string& rendered) {
  const int counts = result.column(metric.column + "_bucket");
  const int sum = result.column(metric.column + "_sum");
  const int count = result.column(metric.column + "_count");
  if (counts < 0 || sum < 0 || count < 0 || result.is_null(row, column)) return;
  page_.add_histogram(metric.metric, rendered, parse_array(result.text(row, column)),
                      parse_array(result.text(row, counts)), result.maybe_f64(row, sum).value_or(0),
                      result.maybe_f64(row, count).value_or(0));
}

std::vector<BoundRow> SeriesMaker::bound_rows(const Answer& answer) const {
  const auto& columns = answer.columns;
  std::vector<double> totals(columns.by.size());
  const auto rank_value = [&](int row, std::size_t k) {
    return columns.by[k] < 0
               ? 0.0
               : std::max(0.0, answer.result.maybe_f64(row, columns.by[k]).value_or(0));
  };
  for (int row = 0; row < answer.rows; ++row) {
    for (std::size_t k = 0; k < totals.size(); ++k) totals[k] += rank_value(row, k);
  }
  std::vector<BoundRow> list;
  list.reserve(static_cast<std::size_t>(answer.rows));
  for (int row = 0; row < answer.rows; ++row) {
    BoundRow each;
    each.labels = labels_of(answer, row);
    for (const int column : columns.metrics) {
      const auto value = column < 0 ? std::nullopt : answer.result.maybe_f64(row, column);
      each.values.push_back(value.value_or(std::nan("")));
    }
    for (const int column : columns.entries) {
      if (column >= 0) each.entry += std::string(answer.result.text(row, column)) + '\x1f';
    }
    for (std::size_t k = 0; k < totals.size(); ++k) {
      if (totals[k] > 0) each.rank = std::max(each.rank, rank_value(row, k) / totals[k]);
    }
    list.push_back(std::move(each));
  }
  return list;
}

std::int32_t SeriesMaker::limit_of(const QuerySpec& query, const std::string& name,
                                   std::size_t rows) const {
  const auto limit = options_.parameters.value(query.bound->limit);
  if (options_.share == nullptr || query.bound->limit != "relations_max") return limit;
  return options_.share->limit(name, database_, static_cast<std::int64_t>(rows), limit);
}

void SeriesMaker::add_bounded(const Answer& answer, Bounder& bounder, const std::string& name) {
  const auto& query = answer.query;
  auto list = bound_rows(answer);
  // Entries of one series are added up by the bounder.
  if (query.bound->entries.empty()) run_.lost += merge_same_labels(query, list);
  const auto limit = limit_of(query, name, list.size());
  for (const auto& each : bounder.apply(std::move(list), limit)) {
    const auto rendered = page_.labels(each.labels);
    for (std::size_t i = 0; i < query.metrics.size(); ++i) {
      add_value(query.metrics[i].metric, each.labels, rendered, each.values[i]);
    }
  }
  run_.other = run_.other.value_or(0) + bounder.left_out();
  for (std::size_t i = 0; i < query.metrics.size(); ++i) {
    if (!query.metrics[i].total) continue;
    add_value(query.metrics[i].total, {}, page_.labels({}), bounder.totals()[i]);
  }
}

}  // namespace pantryd::probes
