// The generators of the dataset: shares, codes, words, and rows in the binary form of COPY.
#include <gmock/gmock.h>

#include <set>

#include "loadgen/dataset/copy_rows.h"
#include "loadgen/dataset/grocery.h"
#include "loadgen/dataset/words.h"
#include "loadgen/dataset/zipf.h"

namespace pantryd::loadgen {
namespace {

constexpr Table kTables[] = {Table::users,    Table::products, Table::sales,
                             Table::expenses, Table::debts,    Table::debt_payments};

DatasetShape small_shape() {
  DatasetShape shape;
  shape.seed = 7;
  shape.products = 500;
  shape.sales = 2000;
  shape.as_of_day = 20'400;
  return shape;
}

std::string encode(const Grocery& grocery, Table table, std::int64_t begin, std::int64_t end) {
  CopyBuffer out;
  for (auto i = begin; i < end; ++i) append_rows(out, grocery, table, i);
  return out.data;
}

TEST(ZipfTest, SharesAreThoseOfTheLaw) {
  constexpr std::int64_t items = 1000;
  const Zipf zipf(items, 0.85);
  double sum = 0;
  for (int rank = 1; rank <= items; ++rank) sum += std::pow(rank, -0.85);
  Random random(1);
  constexpr int draws = 400'000;
  std::vector<int> seen(items);
  for (int i = 0; i < draws; ++i) ++seen[static_cast<std::size_t>(zipf(random))];
  for (const int rank : {1, 2, 3, 10, 100}) {
    const double expected = std::pow(rank, -0.85) / sum * draws;
    EXPECT_NEAR(seen[static_cast<std::size_t>(rank - 1)], expected, 5 * std::sqrt(expected))
        << rank;
  }
}

TEST(ZipfTest, WorksForOneItemForExponentOneAndForManyItems) {
  Random random(2);
  EXPECT_EQ(Zipf(1, 0.85)(random), 0);
  for (const double exponent : {0.3, 1.0, 1.5}) {
    const Zipf zipf(1'000'000'000, exponent);
    for (int i = 0; i < 1000; ++i) {
      const auto rank = zipf(random);
      EXPECT_GE(rank, 0);
      EXPECT_LT(rank, 1'000'000'000);
    }
  }
}

TEST(ScatterTest, IsABijection) {
  for (const std::int64_t count : {1, 2, 10, 997, 5000}) {
    const Scatter scatter(count, 3);
    std::set<std::int64_t> seen;
    for (std::int64_t i = 0; i < count; ++i) seen.insert(scatter(i));
    EXPECT_EQ(static_cast<std::int64_t>(seen.size()), count);
    EXPECT_EQ(*seen.begin(), 0);
    EXPECT_EQ(*seen.rbegin(), count - 1);
  }
}

TEST(Ean13Test, KnowsPublishedCodes) {
  EXPECT_EQ(ean13_check_digit("400638133393"), '1');  // 4006381333931
  EXPECT_EQ(ean13_check_digit("590123412345"), '7');  // 5901234123457
  EXPECT_EQ(ean13_check_digit("000000000000"), '0');
}

TEST(DatasetTest, BarcodesAreUniqueEan13) {
  const Grocery grocery(small_shape());
  std::set<std::string> seen;
  for (std::int64_t i = 0; i < 20'000; ++i) {
    const auto code = grocery.barcode(i);
    ASSERT_EQ(code.size(), 13U);
    EXPECT_EQ(code.back(), ean13_check_digit(code.substr(0, 12)));
    seen.insert(code);
  }
  EXPECT_EQ(seen.size(), 20'000U);
}

TEST(DatasetTest, UuidsAreVersion4) {
  const auto text = to_text(make_uuid(~0ULL, 0));
  EXPECT_EQ(text, "ffffffff-ffff-4fff-8000-000000000000");
}

TEST(DatasetTest, RowsDoNotDependOnHowTheyAreCutIntoChunks) {
  const Grocery grocery(small_shape());
  for (const auto table : kTables) {
    const auto count = table == Table::products ? 500 : 300;
    const auto whole = encode(grocery, table, 0, count);
    std::string pieces;
    const Grocery another(small_shape());  // another worker
    for (std::int64_t at = 0; at < count; at += 37) {
      pieces += encode(another, table, at, std::min<std::int64_t>(count, at + 37));
    }
    EXPECT_EQ(whole, pieces) << to_string(table);
  }
}

TEST(DatasetTest, AnotherSeedMakesOtherRows) {
  auto shape = small_shape();
  const Grocery first(shape);
  shape.seed = 8;
  const Grocery second(shape);
  EXPECT_NE(first.id(Table::products, 0), second.id(Table::products, 0));
  EXPECT_NE(encode(first, Table::sales, 0, 10), encode(second, Table::sales, 0, 10));
}

TEST(DatasetTest, ValuesFitTheColumnsAndTheCheckConstraints) {
  const Grocery grocery(small_shape());
  for (std::int64_t i = 0; i < 500; ++i) {
    const auto product = grocery.product(i);
    EXPECT_LE(product.name.size(), 100U);
    EXPECT_GT(product.price_cents, 0);
    EXPECT_LT(product.cost_cents, product.price_cents);
  }
  std::set<std::string_view> methods;
  for (std::int64_t i = 0; i < 2000; ++i) {
    const auto sale = grocery.sale(i);
    methods.insert(sale.payment_method);
    EXPECT_EQ(sale.total_cents, sale.product.price_cents * sale.quantity);
    EXPECT_EQ(sale.mpesa_code.has_value(), sale.payment_method == "mpesa");
    EXPECT_LT(sale.created_us, grocery.shape().as_of_day * 86'400'000'000);
    EXPECT_GE(sale.created_us, grocery.sale(std::max<std::int64_t>(0, i - 1)).created_us);
  }
  EXPECT_THAT(methods, testing::UnorderedElementsAre("cash", "mpesa", "debt"));
}

TEST(DatasetTest, EveryDebtAddsUp) {
  const Grocery grocery(small_shape());
  int debts = 0;
  for (std::int64_t i = 0; i < 2000; ++i) {
    if (!grocery.has_debt(i)) continue;
    ++debts;
    const auto sale = grocery.sale(i);
    EXPECT_EQ(sale.payment_method, "debt");
    ASSERT_TRUE(sale.customer);  // a debt without a name cannot be collected
    const auto debt = grocery.debt(sale, i);
    EXPECT_EQ(debt.amount_cents, sale.total_cents);
    std::int64_t paid = 0;
    for (const auto& payment : debt.payments) {
      if (!payment) continue;
      EXPECT_GT(payment->cents, 0);
      paid += payment->cents;
    }
    EXPECT_EQ(paid, debt.paid_cents);
    EXPECT_LE(paid, debt.amount_cents);
    EXPECT_EQ(debt.status == "paid", paid == debt.amount_cents);
  }
  EXPECT_NEAR(debts, 200, 50);
}

TEST(DatasetTest, SalesFollowPopularity) {
  const Grocery grocery(small_shape());
  const auto best = grocery.product_of_rank(0);
  int of_best = 0;
  for (std::int64_t i = 0; i < 2000; ++i) of_best += grocery.sale(i).product_index == best ? 1 : 0;
  // 1 / sum of k^-0.85 for k = 1..500 is 8.9 %... of 2000 sales.
  EXPECT_GT(of_best, 100);
}

TEST(DatasetTest, TheShopIsClosedAtNightAndSellsMostInTheEveningAndOnSaturdays) {
  auto shape = small_shape();
  shape.sales = 200'000;
  shape.days = 70;
  shape.as_of_day = 20'402;  // a Monday, after ten whole weeks
  ASSERT_EQ((shape.as_of_day + 3) % 7, 0);
  const Grocery grocery(shape);
  std::vector<double> hours(24), days(7);
  for (std::int64_t i = 0; i < shape.sales; ++i) {
    const auto hour_of_time = grocery.sale(i).created_us / 3'600'000'000;
    hours[static_cast<std::size_t>((hour_of_time + 3) % 24)] += 1;  // in Nairobi
    days[static_cast<std::size_t>((hour_of_time / 24 + 3) % 7)] += 1;
  }
  for (std::size_t hour = 0; hour < 24; ++hour) {
    if (hour < 7 || hour >= 21) {
      EXPECT_EQ(hours[hour], 0) << hour;
    } else {
      EXPECT_GT(hours[hour], 0) << hour;
    }
  }
  const auto mean = static_cast<double>(shape.sales) / 14;
  EXPECT_NEAR(hours[18] / mean, 2.0, 0.05);
  EXPECT_EQ(std::max_element(hours.begin(), hours.end()) - hours.begin(), 18);
  EXPECT_NEAR(days[5] / days[0], 1.35 / 0.80, 0.05);
  EXPECT_EQ(std::max_element(days.begin(), days.end()) - days.begin(), 5);
}

TEST(DatasetTest, AFewDaysAreFilledToTheLastAndNoFurther) {
  for (const std::int32_t days : {1, 2, 6, 8, 13}) {
    auto shape = small_shape();
    shape.days = days;
    const Grocery grocery(shape);
    const auto day = [&](std::int64_t sale) {
      return grocery.sale(sale).created_us / 86'400'000'000;
    };
    EXPECT_EQ(day(0), shape.as_of_day - days);
    EXPECT_EQ(day(shape.sales - 1), shape.as_of_day - 1);
    for (std::int64_t i = 1; i < shape.sales; ++i) {
      ASSERT_LE(grocery.sale(i - 1).created_us, grocery.sale(i).created_us);
    }
  }
}

TEST(DatasetTest, EveryKeyIsKnownWithoutItsRowAlsoInTheOrderOfTime) {
  for (const auto keys : {Keys::v4, Keys::v7}) {
    auto shape = small_shape();
    shape.keys = keys;
    const Grocery grocery(shape);
    std::set<std::string> seen;
    std::size_t made = 0;
    const auto meet = [&](Table table, std::int64_t index, const Uuid& id, MicrosUtc created) {
      EXPECT_EQ(grocery.id(table, index), id);
      seen.insert(to_text(id));
      ++made;
      EXPECT_EQ(id[6] >> 4U, keys == Keys::v7 ? 7 : 4);
      EXPECT_EQ(id[8] >> 6U, 2);
      if (keys == Keys::v4) return;
      std::uint64_t ms = 0;
      for (std::size_t i = 0; i < 6; ++i) ms = ms << 8U | id[i];
      EXPECT_EQ(static_cast<std::int64_t>(ms), created / 1000);
    };
    for (std::int64_t i = 0; i < 500; ++i) {
      meet(Table::products, i, grocery.product(i).id, grocery.product(i).created_us);
      meet(Table::expenses, i, grocery.expense(i).id, grocery.expense(i).created_us);
    }
    for (std::int64_t i = 0; i < 100; ++i) {
      meet(Table::users, i, grocery.user(i).id, grocery.user(i).created_us);
    }
    for (std::int64_t i = 0; i < shape.sales; ++i) {
      const auto sale = grocery.sale(i);
      EXPECT_EQ(sale.product.id, grocery.product(sale.product_index).id);
      EXPECT_EQ(sale.product.name, grocery.product(sale.product_index).name);
      meet(Table::sales, i, sale.id, sale.created_us);
      if (!grocery.has_debt(i)) continue;
      const auto debt = grocery.debt(sale, i);
      meet(Table::debts, i, debt.id, sale.created_us);
      for (int n = 0; n < 2; ++n) {
        const auto& payment = debt.payments[static_cast<std::size_t>(n)];
        if (payment) meet(Table::debt_payments, 2 * i + n, payment->id, payment->created_us);
      }
    }
    EXPECT_EQ(seen.size(), made);
  }
}

TEST(DatasetTest, KeysOfVersion7AreInTheOrderOfMicroseconds) {
  const auto earlier = make_uuid_v7(1'790'000'000'123'456, ~0ULL);
  const auto later = make_uuid_v7(1'790'000'000'123'457, 0);
  EXPECT_LT(earlier, later);
  EXPECT_EQ(to_text(make_uuid_v7(0x0123'4567'89ABLL * 1000, 0)),
            "01234567-89ab-7000-8000-000000000000");
}

TEST(DatasetTest, WhatIsAddedLaterChangesNoEarlierRow) {
  const auto shape = small_shape();
  auto grown = shape;
  grown.top_ups = {500, 4000};
  grown.sales += 4500;
  EXPECT_EQ(grown.first_sales(), shape.sales);
  const Grocery before(shape);
  const Grocery after(grown);
  for (const auto table : kTables) {
    EXPECT_EQ(encode(before, table, 0, 500), encode(after, table, 0, 500)) << to_string(table);
  }
  EXPECT_EQ(encode(before, Table::sales, 0, 2000), encode(after, Table::sales, 0, 2000));
  EXPECT_GT(after.customers(), before.customers());
  for (const std::int64_t part : {2000, 2500}) {  // each is spread over all days
    EXPECT_EQ(after.sale(part).created_us / 86'400'000'000, shape.as_of_day - shape.days);
  }
  EXPECT_EQ(after.sale(6499).created_us / 86'400'000'000, shape.as_of_day - 1);
}

TEST(CopyBufferTest, NumericsAreInBase10000WithTwoDecimals) {
  CopyBuffer out;
  out.numeric_cents(1'234'567);  // 12345.67
  const unsigned char expected[] = {0, 0, 0, 14, 0, 3,    0,    1,    0,
                                    0, 0, 2, 0,  1, 0x09, 0x29, 0x1A, 0x2C};
  EXPECT_EQ(out.data, std::string(reinterpret_cast<const char*>(expected), sizeof expected));
}

TEST(WordsTest, ThereAreTwentyCategoriesAndNoneIsEmpty) {
  EXPECT_EQ(words::categories().size(), 20U);
  for (const auto& category : words::categories()) {
    EXPECT_FALSE(category.items.empty());
    EXPECT_LT(category.price_low_shillings, category.price_high_shillings);
  }
}

}  // namespace
}  // namespace pantryd::loadgen
