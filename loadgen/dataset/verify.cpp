// Invariant: what is expected comes from the generator alone, what is found from the server alone.
#include "loadgen/dataset/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/units.h"
#include "loadgen/dataset/copier.h"
#include "loadgen/dataset/copy_rows.h"
#include "loadgen/dataset/ledger.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kVerifyConnectLimit = std::chrono::seconds(15);
constexpr auto kVerifyLimit = std::chrono::seconds(60);
constexpr auto kReadLimit = std::chrono::hours(12);  // a billion rows, all columns
constexpr std::int64_t kBlock = 100'000;             // rows that a worker computes at a time
constexpr Table kTables[] = {Table::users,    Table::products, Table::sales,
                             Table::expenses, Table::debts,    Table::debt_payments};

/// Of one table; all of it adds up in any order.
struct Sums {
  std::int64_t rows = 0, keys = 0, cents = 0, seconds = 0;

  void add(const Uuid& id, std::int64_t amount, MicrosUtc created) {
    ++rows;
    keys += static_cast<std::int64_t>(id[12]) << 24 | id[13] << 16 | id[14] << 8 | id[15];
    cents += amount;
    seconds += created / 1'000'000;
  }
  void add(const Sums& more) {
    rows += more.rows;
    keys += more.keys;
    cents += more.cents;
    seconds += more.seconds;
  }
};
using AllSums = std::array<Sums, std::size(kTables)>;

Sums& of(AllSums& all, Table table) {
  return all[static_cast<std::size_t>(table) - 1];
}

/// What the index `index` of the users, products, expenses or sales brings.
void expect(const Grocery& grocery, Table table, std::int64_t index, AllSums& out) {
  if (table == Table::users) {
    const auto user = grocery.user(index);
    of(out, table).add(user.id, 0, user.created_us);
  } else if (table == Table::products) {
    const auto product = grocery.product(index);
    of(out, table).add(product.id, product.price_cents, product.created_us);
  } else if (table == Table::expenses) {
    const auto expense = grocery.expense(index);
    of(out, table).add(expense.id, expense.amount_cents, expense.created_us);
  } else {
    const auto sale = grocery.sale(index);
    of(out, Table::sales).add(sale.id, sale.total_cents, sale.created_us);
    if (!grocery.has_debt(index)) return;
    const auto debt = grocery.debt(sale, index);
    of(out, Table::debts).add(debt.id, debt.amount_cents, sale.created_us);
    for (const auto& payment : debt.payments) {
      if (payment)
        of(out, Table::debt_payments).add(payment->id, payment->cents, payment->created_us);
    }
  }
}

/// Runs each task once, on `jobs` threads; rethrows the first error.
void in_parallel(const std::vector<std::function<void()>>& tasks, int jobs) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  std::vector<std::thread> threads;
  for (int i = 0; i < jobs; ++i) {
    threads.emplace_back([&] {
      for (auto at = next.fetch_add(1); at < tasks.size(); at = next.fetch_add(1)) {
        try {
          tasks[at]();
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!failure) failure = std::current_exception();
          next = tasks.size();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

AllSums expected_sums(const Grocery& grocery, int jobs, const StopFlag* stop) {
  AllSums out;
  std::mutex mutex;
  std::vector<std::function<void()>> tasks;
  const auto add = [&](Table table, std::int64_t count) {
    for (std::int64_t begin = 0; begin < count; begin += kBlock) {
      tasks.emplace_back([&, table, begin, count] {
        if (stop != nullptr && stop->requested()) throw_interrupted();
        AllSums mine;
        for (auto i = begin; i < std::min(count, begin + kBlock); ++i) {
          expect(grocery, table, i, mine);
        }
        const std::lock_guard lock(mutex);
        for (const auto each : kTables) of(out, each).add(of(mine, each));
      });
    }
  };
  add(Table::users, grocery.shape().users);
  add(Table::products, grocery.shape().products);
  add(Table::expenses, grocery.expenses());
  add(Table::sales, grocery.shape().sales);
  in_parallel(tasks, jobs);
  return out;
}

pg::Connection open(const pg::Conninfo& where, const StopFlag* stop) {
  pg::ConnectOptions options;
  options.application_name = "pantryd-load verify";
  options.stop = stop;
  auto connection = pg::Connection::connect(where.with("application_name", "pantryd-load verify"),
                                            Deadline::in(kVerifyConnectLimit), options);
  // The text of a row is what is hashed.
  connection.exec_script(
      "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET statement_timeout = 0; SET jit = off",
      Deadline::in(kVerifyLimit));
  return connection;
}

std::string_view amount_column(Table table) {
  switch (table) {
    case Table::users:
      return "0";
    case Table::products:
      return "price";
    case Table::sales:
      return "total";
    default:
      return "amount";
  }
}

struct Found {
  Sums sums;
  std::string checksum;
};

Found read_table(pg::Connection& connection, Table table) {
  const auto row = connection.exec(
      fmt::format("SELECT count(*), coalesce(sum(('x' || right(id::text, 8))::bit(32)::bigint), 0),"
                  " (100 * coalesce(sum({}), 0))::bigint,"
                  " coalesce(sum(floor(extract(epoch FROM created_at))::bigint), 0),"
                  " coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {} t",
                  amount_column(table), to_string(table)),
      Deadline::in(kReadLimit));
  Found out;
  out.sums = {row.i64(0, 0), row.i64(0, 1), row.i64(0, 2), row.i64(0, 3)};
  out.checksum = row.text(0, 4);
  return out;
}

/// Questions whose answer is 0 rows.
struct Rule {
  const char* what;
  const char* sql;
  const char* only_if = "SELECT true";
};
constexpr Rule kRules[] = {
    {"sales whose total is not quantity times price",
     "SELECT count(*) FROM sales WHERE total <> quantity * unit_price"},
    {"sales that name a product otherwise than it is",
     "SELECT count(*) FROM sales s LEFT JOIN products p ON p.id = s.product_id"
     " WHERE p.id IS NULL OR p.name <> s.product_name"},
    {"debts that are not the sale's total",
     "SELECT count(*) FROM debts d LEFT JOIN sales s ON s.id = d.sale_id"
     " WHERE s.id IS NULL OR s.total <> d.amount OR s.payment_method <> 'debt'"},
    {"sales on credit without a debt",
     "SELECT (SELECT count(*) FROM sales WHERE payment_method = 'debt') -"
     " (SELECT count(DISTINCT sale_id) FROM debts)"},
    {"debts whose balance is not amount less paid",
     "SELECT count(*) FROM debts WHERE balance <> amount - amount_paid OR balance < 0"
     " OR (status = 'paid') <> (balance = 0)"},
    {"debts whose payments do not add up",
     "SELECT count(*) FROM debts d LEFT JOIN (SELECT debt_id, sum(amount) AS paid"
     " FROM debt_payments GROUP BY 1) p ON p.debt_id = d.id"
     " WHERE d.amount_paid <> coalesce(p.paid, 0)"},
    {"payments of no debt",
     "SELECT count(*) FROM debt_payments p WHERE NOT EXISTS"
     " (SELECT FROM debts d WHERE d.id = p.debt_id)"},
    {"products with a stock below zero", "SELECT count(*) FROM products WHERE stock < 0"},
    {"products whose mark of low stock is wrong",
     "SELECT count(*) FROM products WHERE low_stock <> (stock <= min_stock)",
     "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('products')"
     " AND attname = 'low_stock' AND NOT attisdropped)"},
    {"sums of the sales that are wrong", "SELECT count(*) FROM public.sales_rollup_difference()",
     "SELECT to_regprocedure('public.sales_rollup_difference()') IS NOT NULL"},
    {"indexes that are not valid",
     "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND indrelid IN (to_regclass('users'),"
     " to_regclass('products'), to_regclass('sales'), to_regclass('expenses'),"
     " to_regclass('debts'), to_regclass('debt_payments'))"},
    {"constraints that are not checked",
     "SELECT count(*) FROM pg_constraint WHERE NOT convalidated AND conrelid IN"
     " (to_regclass('users'), to_regclass('products'), to_regclass('sales'),"
     " to_regclass('expenses'), to_regclass('debts'), to_regclass('debt_payments'))"},
    {"things put aside and not made again",
     "SELECT count(*) FROM pantryd.seed_ledger WHERE part = 'rebuild'"},
};

void compare(VerifyReport& report, AllSums& expected, std::array<Found, 6>& found) {
  for (const auto table : kTables) {
    const auto& want = of(expected, table);
    const auto& have = found[static_cast<std::size_t>(table) - 1];
    const auto add = [&](const char* what, std::int64_t a, std::int64_t b) {
      report.checks.push_back(
          {fmt::format("{}: {}", to_string(table), what), format_count(a), format_count(b)});
    };
    add("rows", want.rows, have.sums.rows);
    add("sum of the keys", want.keys, have.sums.keys);
    if (table != Table::users) add("sum of the amounts in cents", want.cents, have.sums.cents);
    add("sum of the times in seconds", want.seconds, have.sums.seconds);
    report.checksums.emplace_back(to_string(table), have.checksum);
  }
}

}  // namespace

VerifyReport verify(const pg::Conninfo& where, int jobs, const StopFlag* stop) {
  if (jobs < 1 || jobs > 64) throw Error(ExitCode::usage, "the number of jobs must be 1 to 64");
  auto connection = open(where, stop);
  const auto deadline = Deadline::in(kVerifyLimit);
  const auto ledger = read_ledger(connection, deadline);
  if (!ledger) {
    throw Error(ExitCode::failed, "this database was not seeded", "Run pantryd seed first.");
  }
  if (!ledger->complete) {
    throw Error(ExitCode::failed,
                fmt::format("the seed is not complete: {}", describe(ledger->shape)),
                "Run it again: it continues.");
  }
  VerifyReport report;
  report.shape = ledger->shape;
  const Grocery grocery(ledger->shape);
  std::array<Found, 6> found;
  std::vector<std::function<void()>> tasks;
  for (const auto table : {Table::sales, Table::products, Table::debts, Table::debt_payments,
                           Table::expenses, Table::users}) {
    tasks.emplace_back([&, table] {
      auto mine = open(where, stop);
      found[static_cast<std::size_t>(table) - 1] = read_table(mine, table);
    });
  }
  std::mutex mutex;
  std::vector<VerifyCheck> rules;
  for (const auto& rule : kRules) {
    tasks.emplace_back([&] {
      auto mine = open(where, stop);
      if (!mine.exec(rule.only_if, Deadline::in(kVerifyLimit)).boolean(0, 0)) return;
      const auto count = mine.exec(rule.sql, Deadline::in(kReadLimit)).i64(0, 0);
      const std::lock_guard lock(mutex);
      rules.push_back({rule.what, "0", format_count(count)});
    });
  }
  auto expected = expected_sums(grocery, jobs, stop);
  in_parallel(tasks, jobs);
  compare(report, expected, found);
  std::sort(rules.begin(), rules.end(),
            [](const auto& a, const auto& b) { return a.what < b.what; });
  report.checks.insert(report.checks.end(), rules.begin(), rules.end());
  return report;
}

bool VerifyReport::ok() const {
  return std::all_of(checks.begin(), checks.end(), [](const auto& check) { return check.ok(); });
}

std::string VerifyReport::to_text() const {
  std::string out = fmt::format("{}.\n", describe(shape));
  for (const auto& check : checks) {
    if (!check.ok()) {
      out += fmt::format("DIFFERS  {}: {} expected, {} found\n", check.what, check.expected,
                         check.found);
    }
  }
  const auto good =
      std::count_if(checks.begin(), checks.end(), [](const auto& c) { return c.ok(); });
  out += fmt::format("{} of {} checks hold.\n", good, checks.size());
  for (const auto& [table, sum] : checksums) out += fmt::format("  {:<14}{:>24}\n", table, sum);
  return out;
}

std::string VerifyReport::to_json() const {
  nlohmann::ordered_json json = {
      {"format", "pantryd.seed_verify"}, {"version", 1},         {"seed", shape.seed},
      {"products", shape.products},      {"sales", shape.sales}, {"ok", ok()}};
  for (const auto& check : checks) {
    json["checks"].push_back({{"what", check.what},
                              {"expected", check.expected},
                              {"found", check.found},
                              {"ok", check.ok()}});
  }
  for (const auto& [table, sum] : checksums) json["checksums"][table] = sum;
  return json.dump(2) + "\n";
}

}  // namespace pantryd::loadgen
