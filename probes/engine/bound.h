// Keeps the number of series of a query within its limit: the rows that matter most stay, the rest
// become one series whose labels say "other".
//
// What stays is stable: one that is in leaves only for one that clearly outranks it. Of counters,
// "other" grows by what the rows in it grew: it never falls when a row leaves it for a series of
// its own or is thrown out by the server, so that increases over all series add up to the server's.
//
// A query whose bound names `entries` is counted entry by entry: a series never falls when one of
// the entries in it is thrown out, and what a row grew by in the round in which it comes in is in
// "other", because rate() does not see where a series begins.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pg/result.h"
#include "probes/engine/exposition.h"
#include "probes/engine/growth.h"
#include "probes/engine/spec.h"

namespace pantryd::probes {

/// Values of one row: by the metrics of its query; NaN where the server said NULL.
struct BoundRow {
  Labels labels;
  std::vector<double> values;
  double rank = 0;
  std::string entry;          ///< by bound.entries: which entry of the server this is
  std::vector<double> grown;  ///< set by the Bounder, where there are entries
};

/// The memory of one bounded query of one target (and database).
class Bounder {
 public:
  /// The query must outlive it and have a bound.
  explicit Bounder(const QuerySpec& query) : query_(query) {}

  /// The rows that stay, then those called "other": at most `limit` together where the labels that
  /// are kept have fewer values than that. Rows with the same labels are told as one.
  [[nodiscard]] std::vector<BoundRow> apply(std::vector<BoundRow> rows, std::int32_t limit);
  /// By the metrics of the query: what all rows together grew by since the first look, whoever was
  /// thrown out. Counters of queries with entries only; else zero.
  [[nodiscard]] const std::vector<double>& totals() const { return totals_; }
  /// Rows of the last look that have no series of their own.
  [[nodiscard]] std::int64_t left_out() const { return left_out_; }

 private:
  struct Known {
    std::vector<double> values;
    bool stays = false;
    int missing = 0;  ///< runs in a row without it
  };
  using RestRows = std::unordered_map<std::string, BoundRow>;

  [[nodiscard]] bool by_entries() const { return !query_.bound->entries.empty(); }
  bool count_growth(std::vector<BoundRow>& rows);
  void merge_equals(std::vector<BoundRow>& rows) const;
  void put_best_first(std::vector<BoundRow>& rows, std::size_t stay) const;
  void add_to_rest(const BoundRow& row);
  void go_on(BoundRow& row, bool first_look);
  [[nodiscard]] double growth_of(const BoundRow& row, std::size_t metric) const;
  BoundRow& rest_of(const BoundRow& row);
  void remember(const std::vector<BoundRow>& rows, std::size_t stay);
  [[nodiscard]] Labels rest_labels(const Labels& labels) const;

  const QuerySpec& query_;
  std::unordered_map<std::string, Known> known_;  ///< by the labels
  RestRows rests_;                                ///< by the labels that are kept
  Growth growth_;
  std::vector<double> totals_;
  std::int64_t left_out_ = 0;
};

}  // namespace pantryd::probes
