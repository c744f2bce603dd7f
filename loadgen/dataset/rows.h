// The grocery's rows as values, and the shape of a dataset that decides all of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/dataset/keys.h"

namespace pantryd::loadgen {

/// What distinguishes one dataset from another.
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

}  // namespace pantryd::loadgen
