// `seed`: fills the six tables of the grocery (made by the migrations) with a dataset, by COPY in
// chunks on several connections. Interrupted, it is simply run again and goes on where it was.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "loadgen/dataset/grocery.h"
#include "pg/conninfo.h"

namespace pantryd::loadgen {

struct SeedOptions {
  /// as_of_day 0 means: that of the ledger when it holds the same dataset, else today.
  DatasetShape shape;
  int jobs = 2;  ///< connections that copy, 1 to 64
  /// Empties the six tables first when they hold rows of another origin.
  bool force = false;
  std::int64_t products_per_chunk = 20'000;
  std::int64_t sales_per_chunk = 50'000;
};

struct SeedProgress {
  std::int64_t rows_done = 0;
  std::int64_t rows_total = 0;  ///< an estimate: the number of debts is known at the end only
  double rows_per_s = 0;
};
/// Called about five times a second by the thread that called seed(). May be empty.
using Progress = std::function<void(const SeedProgress&)>;

struct SeedReport {
  DatasetShape shape;
  bool already_there = false;    ///< nothing had to be done
  bool resumed = false;          ///< some chunks were there from an earlier, interrupted run
  std::int64_t rows_copied = 0;  ///< in this run
  std::chrono::milliseconds copy_time{0};
  std::chrono::milliseconds analyze_time{0};
  /// Rows a table of the whole dataset, as the ledger counts them.
  std::vector<std::pair<std::string, std::int64_t>> tables;

  [[nodiscard]] double rows_per_s() const;
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string to_json() const;  ///< {"format":"pantryd.seed","version":1,...}
};

/// Throws Error: tables missing; rows there that the seed did not make (hint: --force); another
/// seed at work (ExitCode::lock); the server gone; interrupted by `stop`.
[[nodiscard]] SeedReport seed(const pg::Conninfo& where, const SeedOptions& options,
                              const Progress& progress = {}, const StopFlag* stop = nullptr);

}  // namespace pantryd::loadgen
