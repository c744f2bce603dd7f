// Invariants: a chunk's rows and its ledger rows are one transaction. Work is handed out by one
// atomic counter; a worker that fails makes the others stop after their present slice.
#include "loadgen/dataset/copier.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "loadgen/dataset/copy_rows.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kChunkLimit = std::chrono::minutes(30);
constexpr std::size_t kSliceBytes = 256 * 1024;

/// Appends the chunks of the indexes [begin, end) that are missing; `number` counts all of them.
void cut(std::vector<Chunk>& out, const std::vector<Table>& tables, std::int64_t begin,
         std::int64_t end, std::int64_t size, std::int64_t& number, const Ledger& ledger) {
  for (; begin < end; begin += size, ++number) {
    Chunk chunk{tables, number, begin, std::min(end, begin + size)};
    if (!ledger.chunks.contains({chunk.part(), number})) out.push_back(std::move(chunk));
  }
}

}  // namespace

void throw_interrupted() {
  throw Error(ExitCode::failed, "the seed was interrupted",
              "Run the same command again: it continues.");
}

std::string Chunk::part() const {
  return std::string(to_string(tables.front()));
}

std::int64_t ChunkPlan::rows() const {
  double sum = 0;
  for (const auto* list : {&first, &second}) {
    for (const auto& chunk : *list) {
      // A tenth of the sales are on credit, and a debt has one payment on average (0.95).
      const double factor = chunk.tables.size() == 1 ? 1 : 1.195;
      sum += factor * static_cast<double>(chunk.end - chunk.begin);
    }
  }
  return static_cast<std::int64_t>(sum);
}

ChunkPlan plan_chunks(const Grocery& grocery, const Ledger& ledger) {
  const auto& shape = grocery.shape();
  ChunkPlan out;
  std::int64_t users = 0;
  cut(out.first, {Table::users}, 0, shape.users, shape.users, users, ledger);
  std::int64_t products = 0;
  cut(out.first, {Table::products}, 0, shape.products, ledger.products_per_chunk, products, ledger);
  std::int64_t expenses = 0;
  cut(out.second, {Table::expenses}, 0, grocery.expenses(), grocery.expenses(), expenses, ledger);
  // Sales that were added later begin with a new chunk, so that no chunk ever changes its rows.
  const std::vector<Table> tables{Table::sales, Table::debts, Table::debt_payments};
  std::int64_t sales = 0;
  std::int64_t begin = 0;
  std::vector<std::int64_t> sizes{shape.first_sales()};
  sizes.insert(sizes.end(), shape.top_ups.begin(), shape.top_ups.end());
  for (const auto size : sizes) {
    cut(out.second, tables, begin, begin + size, ledger.sales_per_chunk, sales, ledger);
    begin += size;
  }
  return out;
}

void Copier::run(const std::vector<Chunk>& chunks, int jobs, const std::function<void()>& tick) {
  next_ = 0;
  running_ = std::min<int>(jobs, static_cast<int>(chunks.size()));
  std::vector<std::thread> threads;
  for (int i = running_; i > 0; --i) {
    threads.emplace_back([&] { work(chunks); });
  }
  while (running_.load() > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    tick();
  }
  for (auto& thread : threads) thread.join();
  if (failure_) std::rethrow_exception(failure_);
}

void Copier::work(const std::vector<Chunk>& chunks) {
  try {
    auto connection = open_();
    while (!failed_.load()) {
      const auto at = next_.fetch_add(1);
      if (at >= chunks.size()) break;
      copy(connection, chunks[at]);
    }
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
    failed_ = true;
  }
  --running_;
}

void Copier::copy(pg::Connection& connection, const Chunk& chunk) {
  const auto deadline = Deadline::in(kChunkLimit);
  connection.exec("BEGIN", deadline);
  for (const auto table : chunk.tables) {
    const auto rows = copy_table(connection, table, chunk, deadline);
    add_chunk(connection, std::string(to_string(table)), chunk.number, rows, deadline);
  }
  connection.exec("COMMIT", deadline);
}

std::int64_t Copier::copy_table(pg::Connection& connection, Table table, const Chunk& chunk,
                                Deadline deadline) {
  connection.copy_begin(copy_statement(table), deadline);
  try {
    CopyBuffer buffer;
    buffer.data.reserve(kSliceBytes + 4096);
    buffer.header();
    std::int64_t counted = 0;  // how many of this COPY's rows are in rows_
    std::int64_t rows = 0;
    const auto count = [&] { rows_.fetch_add(rows - std::exchange(counted, rows)); };
    for (auto index = chunk.begin; index < chunk.end; ++index) {
      rows += append_rows(buffer, grocery_, table, index);
      if (buffer.data.size() < kSliceBytes) continue;
      connection.copy_put(buffer.data, deadline);
      buffer.data.clear();
      count();
      if (stop_ != nullptr && stop_->requested()) throw_interrupted();
      if (failed_.load()) throw Error(ExitCode::failed, "another worker of the seed failed");
    }
    buffer.trailer();
    connection.copy_put(buffer.data, deadline);
    count();
    return connection.copy_end(deadline);
  } catch (...) {
    connection.copy_abort("the seed was interrupted", Deadline::in(std::chrono::seconds(2)));
    throw;
  }
}

}  // namespace pantryd::loadgen
