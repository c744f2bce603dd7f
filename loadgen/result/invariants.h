// What the invariants of a workload said before a load and after it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::loadgen {

/// One reading. Without `error`, `values` has an entry for every column; none is NULL.
struct InvariantReading {
  std::vector<std::optional<std::string>> values;  ///< numerics without zeros at their end
  std::string shown;                               ///< the row for people; empty with an error
  bool is_boolean = false;                         ///< a single boolean, which has to be true
  std::string error;                               ///< why it could not be read; or empty

  [[nodiscard]] bool is_false() const;
};

/// What a reading without a value looks like: the load ended before it was taken.
[[nodiscard]] InvariantReading unread_invariant(std::string error);

struct InvariantResult {
  std::string name;
  std::string place;  ///< FILE:LINE:COLUMN of its SQL
  InvariantReading before, after;

  /// Broken: the readings differ, or a boolean is false. Unread: a reading is missing, or a
  /// boolean is NULL, and nothing shows that it is broken.
  enum class Outcome { held, broken, unread };
  [[nodiscard]] Outcome outcome() const;
  [[nodiscard]] std::string sentence() const;
};

/// "held", "broken", "unread": values in JSON.
[[nodiscard]] std::string_view to_string(InvariantResult::Outcome outcome);

}  // namespace pantryd::loadgen
