// COPY of a dataset in chunks, on several connections. A chunk is one transaction with its rows of
// the ledger.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/stop.h"
#include "loadgen/dataset/grocery.h"
#include "loadgen/dataset/ledger.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

/// One transaction: rows of `tables` for the indexes [begin, end).
struct Chunk {
  std::vector<Table> tables;
  std::int64_t number = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] std::string part() const;
};

/// The chunks of users and products that the ledger does not list, then those of expenses and
/// sales. The second list needs the first one's rows: foreign keys.
struct ChunkPlan {
  std::vector<Chunk> first, second;
  [[nodiscard]] std::int64_t rows() const;  ///< an estimate
};
[[nodiscard]] ChunkPlan plan_chunks(const Grocery& grocery, const Ledger& ledger);

class Copier {
 public:
  /// `open` makes a connection; it is called from several threads.
  Copier(std::function<pg::Connection()> open, const Grocery& grocery, const StopFlag* stop)
      : open_(std::move(open)), grocery_(grocery), stop_(stop) {}

  /// Copied so far, of chunks that are not committed yet too.
  [[nodiscard]] std::int64_t rows() const { return rows_.load(std::memory_order_relaxed); }

  /// Copies all chunks on `jobs` threads; `tick` is called meanwhile by this one. Rethrows the
  /// first error; the other threads end after their present slice.
  void run(const std::vector<Chunk>& chunks, int jobs, const std::function<void()>& tick);

 private:
  void work(const std::vector<Chunk>& chunks);
  void copy(pg::Connection& connection, const Chunk& chunk);
  std::int64_t copy_table(pg::Connection& connection, Table table, const Chunk& chunk,
                          Deadline deadline);

  std::function<pg::Connection()> open_;
  const Grocery& grocery_;
  const StopFlag* stop_;
  std::atomic<std::size_t> next_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> failed_{false};
  std::atomic<std::int64_t> rows_{0};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

/// What a seed says that was stopped by a person.
[[noreturn]] void throw_interrupted();

}  // namespace pantryd::loadgen
