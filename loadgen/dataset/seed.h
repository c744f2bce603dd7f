// `seed`: fills the six tables of the grocery (made by the migrations) with a dataset, by COPY in
// chunks on several connections. For many rows, what slows COPY is put aside before it and made
// again after it (rebuild.h). Interrupted or killed, it is simply run again and goes on.
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
  int jobs = 2;  ///< connections that copy, and then build, 1 to 64
  /// Empties the six tables first when they hold rows of another origin.
  bool force = false;
  /// So many sales are added to the dataset that is there; then `shape` does not matter. 0: none.
  std::int64_t top_up = 0;
  /// Copies into the tables as they are, however many rows there are.
  bool keep_indexes = false;
  /// A table that gets at least so many rows is copied without its indexes. Below that, dropping
  /// and building them takes longer than it saves.
  std::int64_t bulk_rows = 50'000;
  std::int64_t memory_bytes = 256LL << 20U;  ///< maintenance_work_mem of each connection
  std::int64_t products_per_chunk = 20'000;
  std::int64_t sales_per_chunk = 50'000;
};

struct SeedProgress {
  bool copying = true;
  // While it copies:
  std::int64_t rows_done = 0;
  std::int64_t rows_total = 0;  ///< an estimate: the number of debts is known at the end only
  double rows_per_s = 0;
  // While it makes again what was put aside:
  double share = 0;  ///< 0 to 1
  std::string what;  ///< "index public.sales_pkey"
  /// Of this phase; negative while it is not known.
  double seconds_left = -1;
};
/// Called about five times a second by the thread that called seed(). May be empty.
using Progress = std::function<void(const SeedProgress&)>;

struct SeedReport {
  DatasetShape shape;
  bool already_there = false;    ///< nothing had to be done
  bool resumed = false;          ///< some chunks were there from an earlier, interrupted run
  std::int64_t rows_copied = 0;  ///< in this run
  std::int64_t rebuilt = 0;      ///< steps of the rebuild in this run
  std::chrono::milliseconds copy_time{0};
  std::chrono::milliseconds rebuild_time{0};  ///< VACUUM and ANALYZE with it
  std::chrono::milliseconds analyze_time{0};  ///< where nothing was rebuilt
  /// Rows a table of the whole dataset, as the ledger counts them.
  std::vector<std::pair<std::string, std::int64_t>> tables;

  [[nodiscard]] double rows_per_s() const;
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string to_json() const;  ///< {"format":"pantryd.seed","version":1,...}
};

/// Throws Error: tables missing; rows there that the seed did not make (hint: --force); another
/// seed at work (ExitCode::lock); the server gone; its disk full; interrupted by `stop`.
[[nodiscard]] SeedReport seed(const pg::Conninfo& where, const SeedOptions& options,
                              const Progress& progress = {}, const StopFlag* stop = nullptr);

}  // namespace pantryd::loadgen
