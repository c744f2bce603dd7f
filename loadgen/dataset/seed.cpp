// Invariants: a chunk's rows and its ledger rows are one transaction. Products and users are whole
// before the first sale is copied, so that every foreign key finds its row. Work is handed out by
// one atomic counter; a worker that fails makes the others stop after their present slice.
#include "loadgen/dataset/seed.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/units.h"
#include "loadgen/dataset/copy_rows.h"
#include "loadgen/dataset/ledger.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kStatementLimit = std::chrono::seconds(60);
constexpr auto kChunkLimit = std::chrono::minutes(30);
constexpr std::int64_t kFoldRows = 100'000;
constexpr int kFoldRoundsMax = 100'000;
constexpr auto kConnectLimit = std::chrono::seconds(15);
constexpr std::size_t kSliceBytes = 256 * 1024;
constexpr std::int64_t kRowsMax = 1'000'000'000;
constexpr std::int64_t kLockKey = 0x70616E7472794C44;  // "pantryLD"
constexpr Table kTables[] = {Table::users,    Table::products, Table::sales,
                             Table::expenses, Table::debts,    Table::debt_payments};

pg::Connection open(const pg::Conninfo& where, const StopFlag* stop) {
  pg::ConnectOptions options;
  options.application_name = "pantryd-load seed";
  options.stop = stop;
  return pg::Connection::connect(where.with("application_name", "pantryd-load seed"),
                                 Deadline::in(kConnectLimit), options);
}

[[noreturn]] void throw_interrupted() {
  throw Error(ExitCode::failed, "the seed was interrupted",
              "Run the same command again: it goes on where it was.");
}

/// One COPY transaction: rows of `tables` for the indexes [begin, end).
struct Chunk {
  std::vector<Table> tables;
  std::int64_t number = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] std::string part() const { return std::string(to_string(tables.front())); }
};

std::vector<Chunk> cut(std::vector<Table> tables, std::int64_t rows, std::int64_t size,
                       const Ledger& ledger) {
  std::vector<Chunk> out;
  for (std::int64_t number = 0; number * size < rows; ++number) {
    Chunk chunk{tables, number, number * size, std::min(rows, (number + 1) * size)};
    if (!ledger.chunks.contains({chunk.part(), number})) out.push_back(std::move(chunk));
  }
  return out;
}

class Copier {
 public:
  Copier(const pg::Conninfo& where, const Grocery& grocery, const StopFlag* stop)
      : where_(where), grocery_(grocery), stop_(stop) {}

  std::int64_t rows() const { return rows_.load(std::memory_order_relaxed); }

  /// Copies all chunks on `jobs` threads; `tick` is called meanwhile. Rethrows the first error.
  void run(const std::vector<Chunk>& chunks, int jobs, const std::function<void()>& tick) {
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

 private:
  void work(const std::vector<Chunk>& chunks) {
    try {
      auto connection = open(where_, stop_);
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

  void copy(pg::Connection& connection, const Chunk& chunk) {
    const auto deadline = Deadline::in(kChunkLimit);
    connection.exec("BEGIN", deadline);
    for (const auto table : chunk.tables) {
      const auto rows = copy_table(connection, table, chunk, deadline);
      add_chunk(connection, std::string(to_string(table)), chunk.number, rows, deadline);
    }
    connection.exec("COMMIT", deadline);
  }

  std::int64_t copy_table(pg::Connection& connection, Table table, const Chunk& chunk,
                          Deadline deadline) {
    connection.copy_begin(copy_statement(table), deadline);
    try {
      CopyBuffer buffer;
      buffer.data.reserve(kSliceBytes + 4096);
      buffer.header();
      std::int64_t told = 0;  // how many of this COPY's rows are in rows_
      std::int64_t rows = 0;
      const auto tell = [&] { rows_.fetch_add(rows - std::exchange(told, rows)); };
      for (auto index = chunk.begin; index < chunk.end; ++index) {
        rows += append_rows(buffer, grocery_, table, index);
        if (buffer.data.size() < kSliceBytes) continue;
        connection.copy_put(buffer.data, deadline);
        buffer.data.clear();
        tell();
        if (stop_ != nullptr && stop_->requested()) throw_interrupted();
        if (failed_.load()) throw Error(ExitCode::failed, "another worker of the seed failed");
      }
      buffer.trailer();
      connection.copy_put(buffer.data, deadline);
      tell();
      return connection.copy_end(deadline);
    } catch (...) {
      connection.copy_abort("the seed was interrupted", Deadline::in(std::chrono::seconds(2)));
      throw;
    }
  }

  const pg::Conninfo& where_;
  const Grocery& grocery_;
  const StopFlag* stop_;
  std::atomic<std::size_t> next_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> failed_{false};
  std::atomic<std::int64_t> rows_{0};
  std::mutex mutex_;
  std::exception_ptr failure_;
};

void check(const SeedOptions& options) {
  const auto& shape = options.shape;
  const auto within = [](std::int64_t value, std::int64_t low, std::int64_t high,
                         const char* what) {
    if (value < low || value > high) {
      throw Error(ExitCode::usage, fmt::format("{} must be between {} and {}", what,
                                               format_count(low), format_count(high)));
    }
  };
  within(shape.products, 1, kRowsMax, "the number of products");
  within(shape.sales, 0, kRowsMax, "the number of sales");
  within(shape.users, 1, 1'000'000, "the number of users");
  within(shape.days, 1, 3650, "the number of days");
  within(options.jobs, 1, 64, "the number of jobs");
  within(options.products_per_chunk, 1, kRowsMax, "the products of a chunk");
  within(options.sales_per_chunk, 1, kRowsMax, "the sales of a chunk");
}

void check_tables(pg::Connection& connection) {
  for (const auto table : kTables) {
    const auto name = std::string(to_string(table));
    const auto found = connection.exec("SELECT to_regclass($1) IS NOT NULL", pg::Params::of(name),
                                       Deadline::in(kStatementLimit));
    if (!found.boolean(0, 0)) {
      throw Error(ExitCode::failed, fmt::format("the table {} does not exist", name),
                  "Make the tables first: pantryd migrate up.");
    }
  }
}

bool any_rows(pg::Connection& connection) {
  std::string sql = "SELECT false";
  for (const auto table : kTables) {
    sql += fmt::format(" OR EXISTS (SELECT 1 FROM {})", to_string(table));
  }
  return connection.exec(sql, Deadline::in(kStatementLimit)).boolean(0, 0);
}

/// The ledger may outlive its rows (tables dropped and made again): look at both ends.
bool rows_are_there(pg::Connection& connection, const Grocery& grocery) {
  const auto& shape = grocery.shape();
  const auto found = connection.exec(
      "SELECT EXISTS (SELECT 1 FROM products WHERE id = $1) AND "
      "EXISTS (SELECT 1 FROM products WHERE id = $2) AND "
      "EXISTS (SELECT 1 FROM users WHERE id = $3)",
      pg::Params::of(to_text(grocery.id(Table::products, 0)),
                     to_text(grocery.id(Table::products, shape.products - 1)),
                     to_text(grocery.id(Table::users, 0))),
      Deadline::in(kStatementLimit));
  return found.boolean(0, 0);
}

void take_lock(pg::Connection& connection) {
  const auto taken = connection.exec("SELECT pg_try_advisory_lock($1)", pg::Params::of(kLockKey),
                                     Deadline::in(kStatementLimit));
  if (!taken.boolean(0, 0)) {
    throw Error(ExitCode::lock, "another seed is at work on this database",
                "Wait for its end: its sessions are named pantryd-load seed.");
  }
}

void empty_tables(pg::Connection& connection) {
  connection.exec("TRUNCATE users, products, sales, expenses, debts, debt_payments",
                  Deadline::in(kStatementLimit));
}

/// Decides what there is to do: the ledger to go on from.
Ledger prepare(pg::Connection& connection, const SeedOptions& options) {
  auto wanted = options.shape;
  auto ledger = read_ledger(connection, Deadline::in(kStatementLimit));
  if (ledger) {
    if (wanted.as_of_day == 0) wanted.as_of_day = ledger->shape.as_of_day;
    const bool same = ledger->shape == wanted;
    const bool started = !ledger->chunks.empty();
    const bool sound = !ledger->complete || rows_are_there(connection, Grocery(ledger->shape));
    if (same && started && sound) return *ledger;
    if (started && !options.force && any_rows(connection)) {
      throw Error(ExitCode::failed,
                  same
                      ? "the tables no longer hold the rows that pantryd.seed_ledger lists"
                      : fmt::format("the tables hold another dataset: {}", describe(ledger->shape)),
                  "seed --force empties the six tables and fills them anew.");
    }
  }
  if (!options.force && any_rows(connection) && !(ledger && !ledger->chunks.empty())) {
    throw Error(ExitCode::failed, "the tables hold rows that the seed did not make",
                "Seed another database, or use seed --force, which empties the six tables first.");
  }
  Ledger fresh;
  fresh.shape = options.shape;
  fresh.products_per_chunk = options.products_per_chunk;
  fresh.sales_per_chunk = options.sales_per_chunk;
  if (fresh.shape.as_of_day == 0) {
    fresh.shape.as_of_day = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now())
                                .time_since_epoch()
                                .count();
  }
  const auto deadline = Deadline::in(kStatementLimit);
  create_ledger(connection, deadline);
  connection.exec("BEGIN", deadline);
  if (any_rows(connection)) empty_tables(connection);
  begin_ledger(connection, fresh, deadline);
  connection.exec("COMMIT", deadline);
  return fresh;
}

void fill_tables(pg::Connection& connection, SeedReport& report) {
  const auto counts = connection.exec(
      "SELECT part, sum(row_count)::bigint FROM pantryd.seed_ledger "
      "WHERE part NOT IN ('dataset', 'complete') GROUP BY part",
      Deadline::in(kStatementLimit));
  for (const auto table : kTables) {
    std::int64_t rows = 0;
    for (int i = 0; i < counts.rows(); ++i) {
      if (counts.text(i, 0) == to_string(table)) rows = counts.i64(i, 1);
    }
    report.tables.emplace_back(to_string(table), rows);
  }
}

void analyze(pg::Connection& connection) {
  for (const auto table : kTables) {
    connection.exec(fmt::format("ANALYZE {}", to_string(table)), Deadline::in(kChunkLimit));
  }
}

/// Schemas since migration 013 keep sums of the sales, fed by a trigger. They are right at any
/// time; folded in, they are fast as well.
void fold_sums(pg::Connection& connection) {
  const auto there =
      connection.exec("SELECT to_regprocedure('public.sales_rollup_fold(bigint)') IS NOT NULL",
                      Deadline::in(kStatementLimit));
  if (!there.boolean(0, 0)) return;
  for (int round = 0; round < kFoldRoundsMax; ++round) {
    const auto folded = connection.exec(
        fmt::format("SELECT public.sales_rollup_fold({})", kFoldRows), Deadline::in(kChunkLimit));
    if (folded.i64(0, 0) == 0) return;
  }
}

std::int64_t rows_of(const std::vector<Chunk>& chunks) {
  double rows = 0;
  for (const auto& chunk : chunks) {
    // A tenth of the sales are on credit, and a debt has one payment on average (0.95).
    const double factor = chunk.tables.size() == 1 ? 1 : 1.195;
    rows += factor * static_cast<double>(chunk.end - chunk.begin);
  }
  return static_cast<std::int64_t>(rows);
}

std::chrono::milliseconds since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start);
}

}  // namespace

SeedReport seed(const pg::Conninfo& where, const SeedOptions& options, const Progress& progress,
                const StopFlag* stop) {
  check(options);
  auto connection = open(where, stop);
  check_tables(connection);
  take_lock(connection);
  const auto ledger = prepare(connection, options);
  SeedReport report;
  report.shape = ledger.shape;
  report.resumed = !ledger.chunks.empty() && !ledger.complete;
  report.already_there = ledger.complete;
  if (!ledger.complete) {
    const Grocery grocery(ledger.shape);
    auto first = cut({Table::users}, ledger.shape.users, ledger.shape.users, ledger);
    for (auto& chunk :
         cut({Table::products}, ledger.shape.products, ledger.products_per_chunk, ledger)) {
      first.push_back(std::move(chunk));
    }
    auto second = cut({Table::expenses}, grocery.expenses(), grocery.expenses(), ledger);
    for (auto& chunk : cut({Table::sales, Table::debts, Table::debt_payments}, ledger.shape.sales,
                           ledger.sales_per_chunk, ledger)) {
      second.push_back(std::move(chunk));
    }
    Copier copier(where, grocery, stop);
    const auto began = SteadyClock::now();
    const auto total = rows_of(first) + rows_of(second);
    auto last = began;
    const auto tick = [&] {
      if (!progress || SteadyClock::now() - last < std::chrono::milliseconds(200)) return;
      last = SteadyClock::now();
      const auto rows = copier.rows();
      const double seconds = std::chrono::duration<double>(last - began).count();
      progress({rows, std::max(total, rows), static_cast<double>(rows) / seconds});
    };
    try {
      copier.run(first, options.jobs, tick);
      copier.run(second, options.jobs, tick);
    } catch (const pg::PgError& error) {
      if (error.failure() == pg::Failure::stopped) throw_interrupted();
      throw;
    }
    report.rows_copied = copier.rows();
    report.copy_time = since(began);
    const auto analyze_began = SteadyClock::now();
    fold_sums(connection);
    analyze(connection);
    complete_ledger(connection, Deadline::in(kStatementLimit));
    report.analyze_time = since(analyze_began);
  }
  fill_tables(connection, report);
  return report;
}

double SeedReport::rows_per_s() const {
  const auto ms = std::max<std::int64_t>(1, copy_time.count());
  return static_cast<double>(rows_copied) * 1000.0 / static_cast<double>(ms);
}

std::string SeedReport::to_text() const {
  std::string out;
  if (already_there) {
    out = fmt::format("The dataset is already there ({}).\n", describe(shape));
  } else {
    out = fmt::format("{} {} rows in {} ({} rows/s), analyzed in {} ({}).\n",
                      resumed ? "Copied the missing" : "Copied", format_count(rows_copied),
                      format_duration(copy_time),
                      format_count(static_cast<std::int64_t>(rows_per_s())),
                      format_duration(analyze_time), describe(shape));
  }
  for (const auto& [name, rows] : tables)
    out += fmt::format("  {:<14}{:>14}\n", name, format_count(rows));
  return out;
}

std::string SeedReport::to_json() const {
  nlohmann::ordered_json json = {{"format", "pantryd.seed"},
                                 {"version", 1},
                                 {"seed", shape.seed},
                                 {"products", shape.products},
                                 {"sales", shape.sales},
                                 {"days", shape.days},
                                 {"as_of_day", shape.as_of_day},
                                 {"already_there", already_there},
                                 {"resumed", resumed},
                                 {"rows_copied", rows_copied},
                                 {"copy_ms", copy_time.count()},
                                 {"analyze_ms", analyze_time.count()},
                                 {"rows_per_s", already_there ? 0 : rows_per_s()}};
  for (const auto& [name, rows] : tables) json["tables"][name] = rows;
  return json.dump(2) + "\n";
}

}  // namespace pantryd::loadgen
