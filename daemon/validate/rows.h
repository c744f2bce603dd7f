// Counts of the shop's rows: as the server counts them, or as its statistics estimate them where
// counting takes too long.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "loadgen/dataset/count.h"
#include "validate/evidence.h"

namespace pantryd::validate::rows {

struct Count {
  std::optional<std::int64_t> number;  ///< none: neither counted nor estimated
  bool estimated = false;
  std::string problem;  ///< why it was not counted; or empty

  /// "100,000" or "100,000 (estimated)"; only with a number.
  [[nodiscard]] std::string text() const;
};

/// What count_of() reads the answers of.
void add_queries(const loadgen::CountedTable& table, Needs& needs);
[[nodiscard]] Count count_of(const Evidence& evidence, const loadgen::CountedTable& table);

}  // namespace pantryd::validate::rows
