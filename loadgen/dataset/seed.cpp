// Invariants: products and users are whole before the first sale is copied, so that every foreign
// key finds its row. Nobody but the holder of the seed's lock changes the ledger, and before it
// reads it, the sessions of a killed seed are gone.
#include "loadgen/dataset/seed.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "loadgen/dataset/copier.h"
#include "loadgen/dataset/copy_rows.h"
#include "loadgen/dataset/ledger.h"
#include "loadgen/dataset/rebuild.h"
#include "loadgen/dataset/seed_lock.h"
#include "pg/sqlstate.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kStatementLimit = std::chrono::seconds(60);
constexpr auto kAnalyzeLimit = std::chrono::minutes(30);
constexpr std::int64_t kFoldRows = 100'000;
constexpr int kFoldRoundsMax = 100'000;
constexpr auto kSeedConnectLimit = std::chrono::seconds(15);
constexpr std::int64_t kRowsMax = 1'000'000'000;
constexpr std::size_t kTopUpsMax = 100;
constexpr Table kTables[] = {Table::users,    Table::products, Table::sales,
                             Table::expenses, Table::debts,    Table::debt_payments};

pg::Connection open(const pg::Conninfo& where, const StopFlag* stop) {
  pg::ConnectOptions options;
  options.application_name = "pantryd-load seed";
  options.stop = stop;
  return pg::Connection::connect(where.with("application_name", "pantryd-load seed"),
                                 Deadline::in(kSeedConnectLimit), options);
}

/// For the threads. A session that outlives its killed client is known by its lock. Commits need
/// not wait for the disk: what a crash of the server takes away is not in the ledger either.
pg::Connection open_worker(const pg::Conninfo& where, const StopFlag* stop) {
  auto connection = open(where, stop);
  lock_as_worker(connection);
  connection.exec("SET synchronous_commit = off", Deadline::in(kStatementLimit));
  return connection;
}

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
  within(options.top_up, 0, kRowsMax, "the number of sales to add");
  within(options.memory_bytes, 1LL << 20U, 1LL << 40U, "the memory of a build");
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
                  "Run pantryd migrate up first.");
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

void empty_tables(pg::Connection& connection) {
  connection.exec("TRUNCATE users, products, sales, expenses, debts, debt_payments",
                  Deadline::in(kStatementLimit));
}

void fill_tables(pg::Connection& connection, SeedReport& report) {
  const auto counts = connection.exec(
      "SELECT part, sum(row_count)::bigint FROM pantryd.seed_ledger "
      "WHERE part NOT IN ('dataset', 'complete', 'rebuild') GROUP BY part",
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
    connection.exec(fmt::format("ANALYZE {}", to_string(table)), Deadline::in(kAnalyzeLimit));
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
        fmt::format("SELECT public.sales_rollup_fold({})", kFoldRows), Deadline::in(kAnalyzeLimit));
    if (folded.i64(0, 0) == 0) return;
  }
}

std::int64_t today() {
  return std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now())
      .time_since_epoch()
      .count();
}

/// Which tables get so many rows that they are copied without their indexes.
std::vector<BulkTable> bulk_tables(const SeedOptions& options, std::int64_t products,
                                   std::int64_t sales, std::int64_t expenses) {
  std::vector<BulkTable> out;
  for (const auto& each : std::vector<BulkTable>{{Table::products, products},
                                                 {Table::sales, sales},
                                                 {Table::expenses, expenses},
                                                 {Table::debts, sales / 10},
                                                 {Table::debt_payments, sales * 19 / 200}}) {
    if (each.rows >= options.bulk_rows && !options.keep_indexes) out.push_back(each);
  }
  return out;
}

class Seeder {
 public:
  Seeder(const pg::Conninfo& where, const SeedOptions& options, const Progress& progress,
         const StopFlag* stop)
      : options_(options), progress_(progress), stop_(stop), connection_(open(where, stop)) {
    open_ = [&where, stop] { return open_worker(where, stop); };
  }

  SeedReport run() {
    check_tables(connection_);
    lock_seed(connection_, stop_);
    end_orphans(connection_, stop_);
    auto ledger = options_.top_up > 0 ? grow() : prepare();
    SeedReport report;
    report.shape = ledger.shape;
    report.resumed = !ledger.chunks.empty() && !ledger.complete && !grown_;
    report.already_there = ledger.complete;
    if (!ledger.complete) {
      copy(ledger, report);
      finish(report);
      complete_ledger(connection_, Deadline::in(kStatementLimit));
    }
    fill_tables(connection_, report);
    return report;
  }

 private:
  /// Decides what there is to do: the ledger to go on from.
  Ledger prepare() {
    auto wanted = options_.shape;
    auto ledger = read_ledger(connection_, Deadline::in(kStatementLimit));
    if (ledger) {
      if (wanted.as_of_day == 0) wanted.as_of_day = ledger->shape.as_of_day;
      // What was added later does not make it another dataset.
      auto first = ledger->shape;
      first.sales = first.first_sales();
      first.top_ups.clear();
      const bool same = first == wanted;
      const bool started = !ledger->chunks.empty();
      const bool sound = !ledger->complete || rows_are_there(connection_, Grocery(ledger->shape));
      if (same && sound && (started || ledger->put_aside > 0)) return *ledger;
      if (started && !options_.force && any_rows(connection_)) {
        throw Error(
            ExitCode::failed,
            same ? "the tables no longer hold the rows that pantryd.seed_ledger lists"
                 : fmt::format("the tables hold another dataset: {}{}", describe(ledger->shape),
                               ledger->complete ? "" : ", not complete"),
            "seed --force empties the six tables and fills them again.");
      }
    }
    if (!options_.force && any_rows(connection_) && !(ledger && !ledger->chunks.empty())) {
      throw Error(
          ExitCode::failed, "the tables hold rows that the seed did not make",
          "Seed another database, or use seed --force, which empties the six tables first.");
    }
    Ledger fresh;
    fresh.shape = options_.shape;
    fresh.products_per_chunk = options_.products_per_chunk;
    fresh.sales_per_chunk = options_.sales_per_chunk;
    if (fresh.shape.as_of_day == 0) fresh.shape.as_of_day = today();
    create_ledger(connection_, Deadline::in(kStatementLimit));
    begin(fresh);
    return fresh;
  }

  /// Empty tables, the ledger of what is to come, and what slows it put aside: all or nothing.
  void begin(const Ledger& fresh) {
    const auto left = read_rebuild(connection_, Deadline::in(kStatementLimit));
    const auto deadline = Deadline::in(kStatementLimit);
    connection_.exec("BEGIN", deadline);
    if (any_rows(connection_)) empty_tables(connection_);
    begin_ledger(connection_, fresh, deadline);
    if (left.empty())
      put_aside_for(bulk_tables(options_, fresh.shape.products, fresh.shape.sales,
                                Grocery(fresh.shape).expenses()));
    connection_.exec("COMMIT", deadline);
    if (left.empty()) return;
    // Another seed was killed and is not wanted any more: on empty tables its rest is made at once.
    run_rebuild(left, rebuild_options(), open_, {});
    begin(fresh);
  }

  void put_aside_for(const std::vector<BulkTable>& tables) {
    const auto deadline = Deadline::in(kStatementLimit);
    if (tables.empty() || !may_put_aside(connection_, deadline)) return;
    connection_.exec(
        "LOCK TABLE users, products, sales, expenses, debts, debt_payments IN ACCESS EXCLUSIVE "
        "MODE",
        deadline);
    (void)put_aside(connection_, tables, deadline);
  }

  /// The ledger of a larger dataset.
  Ledger grow() {
    const auto deadline = Deadline::in(kStatementLimit);
    auto ledger = read_ledger(connection_, deadline);
    if (!ledger || ledger->chunks.empty() || !rows_are_there(connection_, Grocery(ledger->shape))) {
      throw Error(ExitCode::failed, "there is no seeded dataset that could grow",
                  "Run pantryd seed first.");
    }
    auto& shape = ledger->shape;
    if (!ledger->complete) {
      if (!shape.top_ups.empty() && shape.top_ups.back() == options_.top_up) return *ledger;
      throw Error(
          ExitCode::failed,
          shape.top_ups.empty()
              ? fmt::format("the dataset is not complete yet: {}", describe(shape))
              : fmt::format("adding {} sales was interrupted", format_count(shape.top_ups.back())),
          "Run that seed again to its end first.");
    }
    if (shape.top_ups.size() >= kTopUpsMax || shape.sales + options_.top_up > kRowsMax) {
      throw Error(ExitCode::usage, fmt::format("a dataset grows {} times, to {} sales at most",
                                               kTopUpsMax, format_count(kRowsMax)));
    }
    const bool doubles = options_.top_up >= shape.sales;
    shape.sales += options_.top_up;
    shape.top_ups.push_back(options_.top_up);
    ledger->complete = false;
    grown_ = true;
    connection_.exec("BEGIN", deadline);
    grow_ledger(connection_, *ledger, deadline);
    // Building again reads the old rows again, so it must be worth it.
    if (doubles) put_aside_for(bulk_tables(options_, 0, options_.top_up, 0));
    connection_.exec("COMMIT", deadline);
    return *ledger;
  }

  void copy(const Ledger& ledger, SeedReport& report) {
    const Grocery grocery(ledger.shape);
    const auto plan = plan_chunks(grocery, ledger);
    Copier copier(open_, grocery, stop_);
    const auto began = SteadyClock::now();
    const auto total = plan.rows();
    const auto tick = [&] {
      if (!due()) return;
      const auto rows = copier.rows();
      const auto seconds = std::chrono::duration<double>(SteadyClock::now() - began).count();
      SeedProgress now;
      now.rows_done = rows;
      now.rows_total = std::max(total, rows);
      now.rows_per_s = static_cast<double>(rows) / seconds;
      if (rows > 0) now.seconds_left = static_cast<double>(now.rows_total - rows) / now.rows_per_s;
      progress_(now);
    };
    copier.run(plan.first, options_.jobs, tick);
    copier.run(plan.second, options_.jobs, tick);
    report.rows_copied = copier.rows();
    report.copy_time = since(began);
  }

  /// What was put aside is made again, and the planner learns of the rows.
  void finish(SeedReport& report) {
    const auto began = SteadyClock::now();
    const auto steps = read_rebuild(connection_, Deadline::in(kStatementLimit));
    if (!steps.empty()) {
      run_rebuild(steps, rebuild_options(), open_, [&](double share, const std::string& what) {
        if (!due()) return;
        SeedProgress now;
        now.copying = false;
        now.share = share;
        now.what = what;
        const auto seconds = std::chrono::duration<double>(SteadyClock::now() - began).count();
        if (share > 0.02) now.seconds_left = seconds * (1 - share) / share;
        progress_(now);
      });
      report.rebuilt = static_cast<std::int64_t>(steps.size());
      report.rebuild_time = since(began);
      return;
    }
    fold_sums(connection_);
    analyze(connection_);
    report.analyze_time = since(began);
  }

  RebuildOptions rebuild_options() const { return {options_.jobs, options_.memory_bytes, stop_}; }

  /// True five times a second, when somebody listens.
  bool due() {
    if (!progress_ || SteadyClock::now() - told_ < std::chrono::milliseconds(200)) return false;
    told_ = SteadyClock::now();
    return true;
  }

  static std::chrono::milliseconds since(SteadyClock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start);
  }

  const SeedOptions& options_;
  const Progress& progress_;
  const StopFlag* stop_;
  pg::Connection connection_;
  std::function<pg::Connection()> open_;
  SteadyClock::time_point told_ = SteadyClock::now();
  bool grown_ = false;
};

}  // namespace

SeedReport seed(const pg::Conninfo& where, const SeedOptions& options, const Progress& progress,
                const StopFlag* stop) {
  check(options);
  try {
    return Seeder(where, options, progress, stop).run();
  } catch (const pg::PgError& error) {
    if (error.failure() == pg::Failure::stopped) throw_interrupted();
    if (error.sqlstate() != pg::sqlstate::kDiskFull) throw;
    throw Error(ExitCode::failed, fmt::format("the disk of the server is full: {}", error.what()),
                "Free space there, then run the same command again: it continues.");
  }
}

}  // namespace pantryd::loadgen
