// A small shop in a test's database, and what the application of today does to it: the statements
// of Express and Knex, one round trip each, in their order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pg/connection.h"

namespace pantryd::testing_support {

/// '00000000-0000-4000-8000-' and the number.
[[nodiscard]] std::string uuid_of(std::int64_t number);

struct ShopSize {
  std::int64_t products = 20;
  std::int64_t sales = 0;
  std::int64_t days = 30;  ///< the sales are spread over so many days before now
};
/// Two users, products with 1,000 pieces each, and sales, every tenth on credit.
void fill_shop(pg::Connection& connection, const ShopSize& size);

/// The newest schema and a seed of 2,000 products and 5,000 sales; at once when they are there.
void seed_shop(const pg::Conninfo& where);

/// What a till asks for.
struct SaleOrder {
  std::string sale;  ///< its UUID
  std::string product;
  int quantity = 1;
  std::string payment = "cash";
  std::string created_at;  ///< empty: now
};

/// Each is one transaction; a PgError leaves it rolled back.
void sell(pg::Connection& connection, const SaleOrder& order);
/// False when there is no such sale (any more).
bool cancel_sale(pg::Connection& connection, const std::string& sale);
/// Pays up to `amount` of some open debt. False when none is left.
bool pay_debt(pg::Connection& connection, const std::string& amount);

/// Every statement that the application makes, once, on the database as it is. Returns what does
/// not come out as it should; empty when all is well. `round` must differ from call to call.
[[nodiscard]] std::string replay_application(pg::Connection& connection, int round);

}  // namespace pantryd::testing_support
