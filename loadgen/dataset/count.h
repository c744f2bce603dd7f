// How many rows of a seeded dataset are on the server now: counted, and not read from the ledger of
// what was once put there.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/dataset/grocery.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

/// A table whose rows a claim may speak of, and the statements that say how many there are. Both
/// name schemas. The estimate is that of the statistics, reads no row and waits for no lock; NULL
/// where the server has none.
struct CountedTable {
  const char* name;
  const char* count_sql;
  const char* estimate_sql;
};
extern const CountedTable kCountedProducts;
extern const CountedTable kCountedSales;

/// A count that takes longer is given up, and the estimate stands for it.
inline constexpr std::chrono::seconds kCountLimit{10};
/// With fewer of the seeded rows than this, a result is not about the dataset that it names.
inline constexpr double kSeededRowsMin = 0.95;

struct RowCount {
  std::string table;
  std::int64_t seeded = 0;           ///< by the ledger
  std::optional<std::int64_t> rows;  ///< none: neither counted nor estimated
  bool estimated = false;
  std::string problem;  ///< why it was not counted; or empty

  [[nodiscard]] bool too_few() const;
  /// "1,203 sales: 1,000 of the seed and 203 that were added since".
  [[nodiscard]] std::string text() const;
};

/// Products and sales, in this order, over a connection of its own. Throws nothing: what cannot be
/// read is in `problem`.
[[nodiscard]] std::vector<RowCount> count_dataset(const pg::Conninfo& where,
                                                  const DatasetShape& shape,
                                                  std::chrono::milliseconds limit = kCountLimit);

}  // namespace pantryd::loadgen
