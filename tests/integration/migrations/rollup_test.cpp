// The sums of the sales (migrations 013 and 014): in every snapshot they are what the sales add up
// to.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <random>
#include <thread>

#include "migrate/files/migration.h"
#include "tests/support/migrate_database.h"
#include "tests/support/shop.h"

namespace pantryd::migrate {
namespace {

using namespace testing_support;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t kProducts = 40;

void bring_to(const pg::Conninfo& where, std::int64_t version) {
  auto connection = connect(where);
  testing_support::bring_to(connection, version);
}

/// One statement, so one snapshot: the rows in which sums and sales differ.
std::string difference(pg::Connection& connection) {
  const auto rows =
      connection.exec("SELECT d::text FROM sales_rollup_difference() d LIMIT 5", soon());
  std::string out;
  for (int i = 0; i < rows.rows(); ++i) out += std::string(rows.text(i, 0)) + "\n";
  return out;
}

/// Tills that sell, cancel, correct, change their minds, load in bulk and take payments until told
/// to stop. Nothing they do may fail.
class Tills {
 public:
  Tills(pg::Conninfo where, int count, std::int64_t old_sales) : where_(std::move(where)) {
    for (int i = 0; i < count; ++i) {
      threads_.emplace_back([this, i, old_sales] { work(i, old_sales); });
    }
  }
  ~Tills() { stop(); }
  Tills(const Tills&) = delete;
  Tills& operator=(const Tills&) = delete;

  std::string stop() {
    halt_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    return failures_;
  }
  [[nodiscard]] int done() const { return done_; }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  void work(int till, std::int64_t old_sales) {
    std::mt19937_64 random(static_cast<std::uint64_t>(till) + 1);
    const auto pick = [&](std::int64_t low, std::int64_t high) {
      return std::uniform_int_distribution<std::int64_t>(low, high)(random);
    };
    std::vector<std::string> mine;
    std::int64_t number = 10'000'000 + till * 1'000'000;
    try {
      auto connection = connect(where_);
      while (!halt_) {
        step(connection, pick, mine, number, old_sales);
        ++done_;
      }
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      failed_ = true;
      failures_ += fmt::format("till {}: {}\n", till, error.what());
    }
  }

  template <typename Pick>
  void step(pg::Connection& connection, const Pick& pick, std::vector<std::string>& mine,
            std::int64_t& number, std::int64_t old_sales) {
    const auto what = pick(0, 99);
    const auto old_sale = uuid_of(100'000 + pick(1, std::max<std::int64_t>(1, old_sales)));
    if (what < 50 || mine.empty()) {
      static const char* const kPayments[] = {"cash", "mpesa", "debt"};
      SaleOrder order{uuid_of(++number), uuid_of(pick(1, kProducts)), static_cast<int>(pick(1, 3)),
                      kPayments[pick(0, 2)], ""};
      // Some are typed in later, for hours that the backfill may have passed or not reached.
      if (what < 15) {
        order.created_at = std::string(
            connection.exec(fmt::format("SELECT now() - interval '{} hours'", pick(1, 700)), soon())
                .text(0, 0));
      }
      sell(connection, order);
      mine.push_back(order.sale);
    } else if (what < 65) {
      cancel_sale(
          connection,
          mine[static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(mine.size()) - 1))]);
    } else if (what < 75) {
      cancel_sale(connection, old_sale);
    } else if (what < 85) {
      connection.exec(
          "UPDATE sales SET status = 'cancelled', quantity = quantity + 1, total = total + 1, "
          "created_at = created_at - interval '1 hour' WHERE id = $1",
          pg::Params::of(old_sale), soon());
    } else if (what < 90) {
      connection.exec("UPDATE sales SET notes = 'x' WHERE id = $1", pg::Params::of(old_sale),
                      soon());
    } else if (what < 93) {
      connection.exec("BEGIN", soon());
      connection.exec("DELETE FROM sales WHERE id = $1", pg::Params::of(old_sale), soon());
      connection.exec("ROLLBACK", soon());
    } else if (what < 96) {
      number += 50;
      connection.exec(
          fmt::format(
              "INSERT INTO sales (id, product_id, product_name, quantity, unit_price, total, "
              "payment_method, status) SELECT ('00000000-0000-4000-8000-' || lpad(({} - "
              "n)::text, 12, '0'))::uuid, p.id, p.name, 1, 2, 2, 'cash', NULL FROM "
              "generate_series(0, 49) n JOIN products p ON p.barcode = 'B' || lpad((1 + n % "
              "{})::text, 6, '0')",
              number, kProducts),
          soon());
    } else {
      (void)pay_debt(connection, "3.50");
    }
  }

  pg::Conninfo where_;
  std::vector<std::thread> threads_;
  std::atomic<bool> halt_{false};
  std::atomic<int> done_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;
  std::string failures_;
};

bool reaches(const Tills& tills, int done) {
  return within(
             seconds(60), [&] { return tills.done() >= done || tills.failed(); },
             milliseconds(5)) &&
         tills.done() >= done;
}

TEST(RollupTest, SumsAndSalesAgreeInEverySnapshotWhileTheyAreMadeUnderLoad) {
  const auto where = fresh_database("rollup_live");
  bring_to(where, 6);
  auto connection = connect(where);
  fill_shop(connection, {.products = kProducts, .sales = 20'000, .days = 28});
  connection.exec("UPDATE products SET stock = 100000000", soon());
  Tills tills(where, 4, 20'000);
  ASSERT_TRUE(reaches(tills, 50));
  std::atomic<bool> migrated{false};
  std::thread runner([&] {
    bring_to(where, newest_version());
    migrated = true;
  });
  int looks = 0;
  std::string wrong;
  const auto complete = [&] {
    return connection.exec("SELECT to_regclass('sales_rollup_state') IS NOT NULL", soon())
               .boolean(0, 0) &&
           connection.exec("SELECT complete FROM sales_rollup_state", soon()).boolean(0, 0);
  };
  const auto deadline = Deadline::in(seconds(120));
  while (!migrated && !deadline.expired() && wrong.empty()) {
    if (complete()) {
      wrong = difference(connection);
      ++looks;
    }
  }
  runner.join();
  for (int i = 0; i < 20 && wrong.empty(); ++i) {
    ASSERT_TRUE(reaches(tills, tills.done() + 50)) << tills.stop();
    wrong = difference(connection);
    ++looks;
  }
  EXPECT_EQ(tills.stop(), "");
  EXPECT_EQ(wrong, "") << "after " << looks << " looks";
  EXPECT_EQ(difference(connection), "");
  EXPECT_GT(connection.exec("SELECT count(*) FROM sales_hourly", soon()).i64(0, 0), 500);
}

TEST(RollupTest, ChangesAreFoldedIntoTheSumsSoThatTheyStayFew) {
  const auto where = fresh_database("rollup_fold");
  bring_to(where, newest_version());
  auto connection = connect(where);
  fill_shop(connection, {.products = kProducts});
  connection.exec("UPDATE products SET stock = 100000000", soon());
  Tills tills(where, 4, 1);
  ASSERT_TRUE(reaches(tills, 3000));
  EXPECT_EQ(tills.stop(), "");
  EXPECT_LT(connection.exec("SELECT count(*) FROM sales_changes", soon()).i64(0, 0), 4096);
  EXPECT_GT(connection.exec("SELECT sum(sales) FROM sales_hourly", soon()).i64(0, 0), 0);
  EXPECT_EQ(difference(connection), "");
  while (connection.exec("SELECT sales_rollup_fold(500)", soon()).i64(0, 0) > 0) {
  }
  EXPECT_EQ(connection.exec("SELECT count(*) FROM sales_changes", soon()).i64(0, 0), 0);
  EXPECT_EQ(difference(connection), "");
}

TEST(RollupTest, ABackfillThatIsKilledGoesOnWhereItWas) {
  const auto where = fresh_database("rollup_killed");
  bring_to(where, 6);
  auto connection = connect(where);
  fill_shop(connection, {.products = kProducts, .sales = 60'000, .days = 300});
  connection.exec("UPDATE products SET stock = 100000000", soon());
  bring_to(where, 13);
  Tills tills(where, 2, 60'000);
  int kills = 0;
  for (int round = 0; round < 5; ++round) {
    std::thread runner([&] {
      try {
        bring_to(where, 14);
      } catch (const Error&) {
        ++kills;
      }
    });
    // Killed in the middle: some batches are in, some are not.
    (void)becomes_true(connection,
                       fmt::format("SELECT complete OR backfilled_to > now() - interval "
                                   "'{} days' FROM sales_rollup_state",
                                   300 - 50 * round));
    connection.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
        "current_database() AND query LIKE 'CALL sales_rollup_backfill%'",
        soon());
    runner.join();
  }
  bring_to(where, 14);
  EXPECT_EQ(tills.stop(), "");
  EXPECT_GT(kills, 0);
  EXPECT_TRUE(connection.exec("SELECT complete FROM sales_rollup_state", soon()).boolean(0, 0));
  EXPECT_EQ(difference(connection), "");
}

TEST(RollupTest, TheFunctionsAnswerWhatTheApplicationsOwnStatementsAnswer) {
  const auto where = fresh_database("rollup_answers");
  bring_to(where, 6);
  auto connection = connect(where);
  fill_shop(connection, {.products = kProducts, .sales = 5'000, .days = 40});
  const auto same = [&](const std::string& ours, const std::string& theirs) {
    const auto rows = connection.exec(
        fmt::format(
            "SELECT count(*) FROM (({0}) EXCEPT ALL ({1}) UNION ALL (({1}) EXCEPT ALL ({0}))) x",
            ours, theirs),
        soon());
    return rows.i64(0, 0) == 0;
  };
  const auto agree = [&](const std::string& stage) {
    for (const auto* zone : {"UTC", "Africa/Nairobi", "Asia/Kolkata", "America/New_York"}) {
      SCOPED_TRACE(stage + ", " + zone);
      connection.exec(fmt::format("SET timezone = '{}'", zone), soon());
      EXPECT_TRUE(
          same("SELECT day, sales, total FROM daily_sales(CURRENT_DATE - 7)",
               "SELECT DATE(created_at), COUNT(*), SUM(total) FROM sales WHERE created_at >= "
               "CURRENT_DATE - 7 GROUP BY DATE(created_at)"));
    }
    for (const auto* range :
         {"NULL, NULL", "'2000-01-01', '2000-01-02'", "now() - interval '9 days 7 minutes', now()",
          "now() - interval '50 minutes', now() - interval '40 minutes'",
          "now() - interval '3 hours', now() - interval '1 hour'",
          "now() - interval '1 hour', now() - interval '2 hours'",
          "now() - interval '20 days', NULL"}) {
      SCOPED_TRACE(stage + ", " + range);
      EXPECT_TRUE(same(
          fmt::format("SELECT sales, total, average::numeric(20,4), cash, mpesa, debt FROM "
                      "sales_summary({})",
                      range),
          fmt::format(
              "SELECT COUNT(*), SUM(total), AVG(total)::numeric(20,4), coalesce(SUM(CASE WHEN "
              "payment_method = 'cash' THEN total ELSE 0 END), 0), coalesce(SUM(CASE WHEN "
              "payment_method = 'mpesa' THEN total ELSE 0 END), 0), coalesce(SUM(CASE WHEN "
              "payment_method = 'debt' THEN total ELSE 0 END), 0) FROM sales, (VALUES ({})) AS "
              "range (low, high) WHERE created_at >= coalesce(low::timestamptz, '-infinity') AND "
              "created_at < coalesce(high::timestamptz, 'infinity')",
              range)));
    }
    EXPECT_TRUE(
        same("SELECT product_name, product_id, quantity, total, sales FROM top_products(1000)",
             "SELECT product_name, product_id, SUM(quantity), SUM(total), COUNT(*) FROM sales "
             "GROUP BY product_name, product_id"));
    EXPECT_TRUE(same("SELECT quantity FROM top_products(10)",
                     "SELECT SUM(quantity) FROM sales GROUP BY product_name, product_id ORDER BY 1 "
                     "DESC LIMIT 10"));
  };
  bring_to(where, 13);
  agree("before the backfill");
  sell(connection, {uuid_of(1), uuid_of(3), 2, "debt", ""});
  agree("before the backfill, one sale later");
  bring_to(where, newest_version());
  agree("after it");
  for (int i = 0; i < 20; ++i) sell(connection, {uuid_of(10 + i), uuid_of(5), 3, "mpesa", ""});
  connection.exec("UPDATE products SET name = 'Renamed' WHERE id = $1", pg::Params::of(uuid_of(5)),
                  soon());
  sell(connection, {uuid_of(50), uuid_of(5), 3, "mpesa", ""});
  connection.exec("DELETE FROM sales WHERE product_id = $1", pg::Params::of(uuid_of(9)), soon());
  agree("with changes that are not folded");
  ASSERT_GT(connection.exec("SELECT sales_rollup_fold(100000)", soon()).i64(0, 0), 0);
  agree("folded");
}

TEST(RollupTest, NoSaleWaitsForASumAndNoneFailsInAStricterIsolation) {
  const auto where = fresh_database("rollup_wait");
  bring_to(where, newest_version());
  auto first = connect(where);
  fill_shop(first, {.products = kProducts});
  auto second = connect(where);
  second.exec("SET lock_timeout = '1s'", soon());
  const auto insert = [](pg::Connection& connection, int sale, int product) {
    connection.exec(
        "INSERT INTO sales (id, product_id, product_name, quantity, unit_price, total, "
        "payment_method) VALUES ($1, $2, 'P', 1, 1, 1, 'cash')",
        pg::Params::of(uuid_of(sale), uuid_of(product)), soon());
  };
  first.exec("BEGIN", soon());
  insert(first, 1, 1);
  // The same hour and method, another product: with a sum updated in place this would wait.
  insert(second, 2, 2);
  second.exec("SELECT sales_rollup_fold(1000)", soon());
  insert(second, 3, 2);
  first.exec("COMMIT", soon());
  // Its snapshot still holds changes that another session folds meanwhile: to fold them once more
  // would fail it with 40001, although all it wants is to sell.
  second.exec("BEGIN ISOLATION LEVEL REPEATABLE READ", soon());
  second.exec("SELECT count(*) FROM sales_changes", soon());
  insert(first, 4, 1);
  ASSERT_GT(first.exec("SELECT sales_rollup_fold(1000)", soon()).i64(0, 0), 0);
  for (int i = 0; i < 600; ++i) insert(second, 100 + i, 3);
  second.exec("COMMIT", soon());
  EXPECT_EQ(difference(first), "");
}

TEST(RollupTest, EachColumnThatIsSummedIsFollowedWhenItAloneChanges) {
  const auto where = fresh_database("rollup_columns");
  bring_to(where, newest_version());
  auto connection = connect(where);
  fill_shop(connection, {.products = kProducts, .sales = 100});
  const auto changes = [&] {
    return connection.exec("SELECT count(*) FROM sales_changes", soon()).i64(0, 0);
  };
  for (const auto* change : {"total = total + 1", "quantity = quantity + 1", "status = 'pending'",
                             "status = NULL", "payment_method = 'mpesa'", "product_name = 'Other'",
                             "created_at = created_at - interval "
                             "'5 hours'",
                             "product_id = '00000000-0000-4000-8000-000000000003'"}) {
    SCOPED_TRACE(change);
    const auto before = changes();
    connection.exec(fmt::format("UPDATE sales SET {} WHERE payment_method = 'cash'", change),
                    soon());
    EXPECT_GT(changes(), before);
    EXPECT_EQ(difference(connection), "");
    connection.exec("UPDATE sales SET payment_method = 'cash'", soon());
  }
  const auto before = changes();
  connection.exec("UPDATE sales SET notes = 'x', customer_name = 'y'", soon());
  EXPECT_EQ(changes(), before) << "what is not summed makes no change";
}

TEST(RollupTest, TruncatedSalesLeaveNoSumsAndARebuildMendsWhatWroteAroundTheTriggers) {
  const auto where = fresh_database("rollup_rebuild");
  bring_to(where, newest_version());
  auto connection = connect(where);
  fill_shop(connection, {.products = kProducts, .sales = 2'000});
  EXPECT_EQ(difference(connection), "");
  connection.exec("SET session_replication_role = replica", soon());
  connection.exec("UPDATE sales SET total = total + 1 WHERE payment_method = 'cash'", soon());
  connection.exec("SET session_replication_role = origin", soon());
  EXPECT_NE(difference(connection), "");
  connection.exec("CALL sales_rollup_rebuild()", soon());
  EXPECT_EQ(difference(connection), "");
  EXPECT_EQ(connection.exec("SELECT sum(sales) FROM sales_hourly", soon()).i64(0, 0), 2'000);
  connection.exec("TRUNCATE sales CASCADE", soon());
  EXPECT_EQ(difference(connection), "");
  EXPECT_EQ(connection.exec("SELECT sales FROM sales_summary(NULL, NULL)", soon()).i64(0, 0), 0);
  sell(connection, {uuid_of(1), uuid_of(3), 2, "debt", ""});
  EXPECT_EQ(connection.exec("SELECT sales FROM sales_summary(NULL, NULL)", soon()).i64(0, 0), 1);
}

}  // namespace
}  // namespace pantryd::migrate
