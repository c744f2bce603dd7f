// Popularity: ranks that follow Zipf's law with any exponent above 0 (also below 1, where real
// groceries are), in constant memory for any number of items.
// Source: rejection-inversion, Hoermann and Derflinger, ACM TOMACS 6(3), 1996.
#pragma once

#include <cstdint>

#include "base/random.h"

namespace pantryd::loadgen {

/// What the dataset and the workload use by default: the measured range of groceries
/// is 0.75 to 0.9 (one cart in four holds a banana).
inline constexpr double kGrocerySkew = 0.85;

class Zipf {
 public:
  /// `count` >= 1 items, `exponent` > 0.
  Zipf(std::int64_t count, double exponent);
  /// A rank in [0, count): 0 is the most popular.
  [[nodiscard]] std::int64_t operator()(Random& random) const;

 private:
  [[nodiscard]] double integral(double x) const;
  [[nodiscard]] double integral_inverse(double x) const;
  [[nodiscard]] double density(double x) const;

  double count_;
  double exponent_;
  double first_ = 0;
  double last_ = 0;
  double shortcut_ = 0;
};

/// A bijection of [0, count) that scatters neighbours, so that popular rows are not neighbours
/// in the table. `seed` picks which bijection.
class Scatter {
 public:
  Scatter(std::int64_t count, std::uint64_t seed);
  [[nodiscard]] std::int64_t operator()(std::int64_t index) const;

 private:
  std::uint64_t count_;
  std::uint64_t factor_;
  std::uint64_t offset_;
};

}  // namespace pantryd::loadgen
