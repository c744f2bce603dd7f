// `seed --verify`: is what is there what was asked for? Counts, keys, amounts and times of every
// table against the generator, sums that must agree with one another, and a catalogue without
// leftovers. After a load run or a day of trade the rows differ, and this says so.
#pragma once

#include <string>
#include <vector>

#include "base/stop.h"
#include "loadgen/dataset/grocery.h"
#include "pg/conninfo.h"

namespace pantryd::loadgen {

struct VerifyCheck {
  std::string what;  ///< "sales: rows"
  std::string expected;
  std::string found;
  [[nodiscard]] bool ok() const { return expected == found; }
};

struct VerifyReport {
  DatasetShape shape;
  std::vector<VerifyCheck> checks;
  /// Table and the sum of a 64-bit hash over all columns of all rows, in any order: two databases
  /// with equal sums hold equal rows. In UTC and ISO dates, so equal on every server.
  std::vector<std::pair<std::string, std::string>> checksums;

  [[nodiscard]] bool ok() const;
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string to_json() const;  ///< {"format":"pantryd.seed_verify","version":1,...}
};

/// Reads every row, on `jobs` connections. Throws Error: no ledger; the server gone; stopped.
[[nodiscard]] VerifyReport verify(const pg::Conninfo& where, int jobs,
                                  const StopFlag* stop = nullptr);

}  // namespace pantryd::loadgen
