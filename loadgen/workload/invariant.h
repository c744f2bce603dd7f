// What has to be true of the data before a load and after it.
#pragma once

#include <chrono>
#include <string>

namespace pantryd::loadgen {

inline constexpr std::chrono::milliseconds kInvariantLimit{60'000};

/// `sql` returns one row. A single boolean has to be true both times, anything else has to be the
/// same.
struct Invariant {
  std::string name;
  std::string sql;
  std::string place;  ///< FILE:LINE:COLUMN of the SQL
  std::chrono::milliseconds limit = kInvariantLimit;
};

}  // namespace pantryd::loadgen
