// The grocery's rows as pure functions: a row follows from the shape, its table and its index, and
// from nothing else. So any number of workers makes the same rows in any order, and the load
// generator knows which keys exist without reading them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "loadgen/dataset/zipf.h"

namespace pantryd::loadgen {

/// Microseconds since 1970-01-01 UTC.
using MicrosUtc = std::int64_t;

/// v4: random, as the application makes them. v7: in the order of created_at (RFC 9562, 5.7).
enum class Keys { v4, v7 };

/// What tells one dataset from another.
struct DatasetShape {
  std::uint64_t seed = 1;
  std::int64_t products = 100'000;
  std::int64_t sales = 300'000;
  std::int64_t users = 100;
  std::int32_t days = 90;      ///< the sales are spread over so many days before as_of_day
  std::int64_t as_of_day = 0;  ///< days since 1970-01-01; the dataset ends when this day begins
  Keys keys = Keys::v4;
  /// Sales that were added later, in this order; `sales` counts them. Each of these parts is spread
  /// over the same days again: the same shop with more customers and more sales a day.
  std::vector<std::int64_t> top_ups = {};
  /// The sales without those added later.
  [[nodiscard]] std::int64_t first_sales() const;
  [[nodiscard]] bool operator==(const DatasetShape&) const = default;
};

enum class Table : std::uint64_t { users = 1, products, sales, expenses, debts, debt_payments };

using Uuid = std::array<unsigned char, 16>;

struct User {
  Uuid id;
  std::string username, email, password;
  std::string_view role;
  bool is_active;
  MicrosUtc created_us;
};

struct Product {
  Uuid id;
  std::string name;
  std::string_view category;
  std::int64_t price_cents, cost_cents;
  std::int32_t stock, min_stock;
  std::string description, barcode;
  std::string_view supplier;
  bool is_active;
  MicrosUtc created_us;
};

/// What a sale copies of its product.
struct SoldProduct {
  Uuid id;
  std::string name;
  std::int64_t price_cents;
};

struct Sale {
  Uuid id;
  std::int64_t product_index;
  SoldProduct product;
  std::int32_t quantity;
  std::int64_t total_cents;
  std::string_view payment_method;
  std::optional<std::int64_t> customer;  ///< index of the customer, if known
  std::string_view status;
  std::optional<std::string> mpesa_code;
  Uuid created_by;
  MicrosUtc created_us;
};

struct DebtPayment {
  Uuid id;
  std::int64_t cents;
  std::string_view payment_method;
  std::optional<std::string> mpesa_code;
  MicrosUtc created_us;
};

/// The debt of a sale on credit. Its amount is the sale's total, what is paid is the sum of its
/// payments, and its balance is the difference.
struct Debt {
  Uuid id;
  std::int64_t amount_cents, paid_cents;
  std::string_view status;
  std::int64_t due_day;  ///< days since 1970-01-01
  std::array<std::optional<DebtPayment>, 2> payments;
};

struct Expense {
  Uuid id;
  std::string description;
  std::int64_t amount_cents;
  std::string_view category, status;
  std::int64_t expense_day;
  std::string receipt_number;
  Uuid created_by;
  std::optional<Uuid> approved_by;
  MicrosUtc created_us;
};

class Grocery {
 public:
  explicit Grocery(DatasetShape shape);
  [[nodiscard]] const DatasetShape& shape() const { return shape_; }
  [[nodiscard]] std::int64_t customers() const { return parts_.back().customers; }
  [[nodiscard]] std::int64_t expenses() const { return 20LL * shape_.days; }

  [[nodiscard]] User user(std::int64_t index) const;
  [[nodiscard]] Product product(std::int64_t index) const;
  [[nodiscard]] Sale sale(std::int64_t index) const;
  /// True when sale `index` was on credit: then debt(sale(index), index) exists.
  [[nodiscard]] bool has_debt(std::int64_t index) const;
  [[nodiscard]] Debt debt(const Sale& sale, std::int64_t index) const;
  [[nodiscard]] Expense expense(std::int64_t index) const;

  /// Keys alone, without the rest of the row.
  [[nodiscard]] Uuid id(Table table, std::int64_t index) const;
  [[nodiscard]] std::string barcode(std::int64_t product) const;  ///< EAN-13, unique
  [[nodiscard]] std::string customer_name(std::int64_t customer) const;
  [[nodiscard]] std::string customer_phone(std::int64_t customer) const;

  /// The product that has popularity `rank`, 0 being the most popular.
  [[nodiscard]] std::int64_t product_of_rank(std::int64_t rank) const { return scatter_(rank); }

 private:
  /// Sales that were made in one go.
  struct Part {
    std::int64_t begin, end;  ///< of the sales' indexes
    std::int64_t customers;
    Zipf loyalty;
  };
  struct Label;  ///< the words of a product's name and its price

  [[nodiscard]] Random stream(Table table, std::int64_t index, std::uint64_t purpose = 0) const;
  [[nodiscard]] const Part& part_of(std::int64_t sale) const;
  [[nodiscard]] Label label(Random& random) const;
  [[nodiscard]] SoldProduct sold_product(std::int64_t index) const;
  [[nodiscard]] std::string_view payment_method(std::int64_t sale) const;
  [[nodiscard]] MicrosUtc sale_time_us(std::int64_t index) const;
  [[nodiscard]] MicrosUtc created_us(Table table, std::int64_t index) const;
  [[nodiscard]] Uuid id_at(Table table, std::int64_t index, MicrosUtc created) const;

  DatasetShape shape_;
  std::vector<Part> parts_;  ///< never empty
  Zipf popularity_;
  Scatter scatter_;
};

/// A v4-shaped UUID (RFC 9562) of 122 bits that follow from the two numbers.
[[nodiscard]] Uuid make_uuid(std::uint64_t high, std::uint64_t low);
/// A v7-shaped one: ordered by time, to a quarter of a microsecond, then 62 bits of `low`.
[[nodiscard]] Uuid make_uuid_v7(MicrosUtc time, std::uint64_t low);
/// "8-4-4-4-12" lower-case hexadecimal digits.
[[nodiscard]] std::string to_text(const Uuid& uuid);

/// The thirteenth digit, '0' to '9', of twelve digits. Source: GS1 General Specifications, 7.9.
[[nodiscard]] char ean13_check_digit(std::string_view twelve_digits);

/// An M-Pesa receipt code: ten capitals and digits.
[[nodiscard]] std::string make_mpesa_code(Random& random);

}  // namespace pantryd::loadgen
