// Keeps the number of series of a query within its limit: the rows that matter most stay, the rest
// become one series whose labels say "other".
//
// What stays is stable: one that is in leaves only for one that clearly outranks it. Of counters,
// "other" grows by what the rows in it grew: it never falls when a row leaves it for a series of
// its own or is thrown out by the server, so that increases over all series add up to the server's.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "pg/result.h"
#include "probes/engine/exposition.h"
#include "probes/engine/spec.h"

namespace pantryd::probes {

/// Values of one row: by the metrics of its query; NaN where the server said NULL.
struct BoundRow {
  Labels labels;
  std::vector<double> values;
  double rank = 0;
};

/// The memory of one bounded query of one target (and database).
class Bounder {
 public:
  /// The query must outlive it and have a bound.
  explicit Bounder(const QuerySpec& query) : query_(query) {}

  /// The rows that stay, then those called "other": at most `limit` together where the labels that
  /// are kept have fewer values than that. Rows with the same labels are told as one.
  [[nodiscard]] std::vector<BoundRow> apply(std::vector<BoundRow> rows, std::int32_t limit);

 private:
  struct Known {
    std::vector<double> values;
    bool stays = false;
    int missing = 0;  ///< runs in a row without it
  };
  using RestRows = std::unordered_map<std::string, BoundRow>;

  void merge_equals(std::vector<BoundRow>& rows) const;
  void put_best_first(std::vector<BoundRow>& rows, std::size_t stay) const;
  void add_to_rest(const BoundRow& row);
  void remember(const std::vector<BoundRow>& rows, std::size_t stay);
  [[nodiscard]] Labels rest_labels(const Labels& labels) const;

  const QuerySpec& query_;
  std::unordered_map<std::string, Known> known_;  ///< by the labels
  RestRows rests_;                                ///< by the labels that are kept
};

}  // namespace pantryd::probes
