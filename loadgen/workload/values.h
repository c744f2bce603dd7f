// Draws the values of one operation. Keys are computed from the dataset's shape: nothing is read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/dataset/grocery.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {

/// One text or NULL a variable of the operation.
using Values = std::vector<std::optional<std::string>>;

class ValueSource {
 public:
  /// `shape` may be empty for a workload that needs no dataset. `nonce` must differ from run to
  /// run: it keeps the fresh UUIDs of one run from meeting those that an earlier one inserted.
  ValueSource(const Workload& workload, std::optional<DatasetShape> shape, std::uint64_t nonce);

  /// Fills `values` with what the generators say; captured variables become NULL. The same
  /// `seed` gives the same values, fresh UUIDs apart.
  void draw(const Operation& operation, std::uint64_t seed, Values& values) const;

  [[nodiscard]] static bool holds(const std::optional<Condition>& condition, const Values& values);

 private:
  [[nodiscard]] std::string make(const Generator& generator, Random& random) const;
  [[nodiscard]] std::int64_t recent_sale(double share, Random& random) const;
  [[nodiscard]] const Zipf& zipf(bool customers, double skew) const;

  std::uint64_t nonce_;
  std::optional<Grocery> grocery_;
  std::map<std::pair<bool, double>, Zipf> zipfs_;  ///< all that the workload names
};

}  // namespace pantryd::loadgen
