// The statements are those of the application, not those that we would write.
#include "tests/support/shop.h"

#include <fmt/format.h>

#include "base/wait.h"
#include "loadgen/dataset/seed.h"
#include "migrate/migrate.h"
#include "pg/error.h"

namespace pantryd::testing_support {
namespace {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(60));
}

/// BEGIN at birth; ROLLBACK unless committed.
class Transaction {
 public:
  explicit Transaction(pg::Connection& connection) : connection_(connection) {
    connection_.exec("BEGIN", soon());
  }
  ~Transaction() {
    if (committed_) return;
    try {
      connection_.exec("ROLLBACK", soon());
    } catch (const Error&) {
      // The connection is gone, and the transaction with it.
    }
  }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit() {
    connection_.exec("COMMIT", soon());
    committed_ = true;
  }

 private:
  pg::Connection& connection_;
  bool committed_ = false;
};

class Replay {
 public:
  Replay(pg::Connection& connection, int round) : connection_(connection), round_(round) {}

  std::string run() {
    sales();
    lists();
    reports();
    debts_and_expenses();
    products_and_users();
    return problems_;
  }

 private:
  pg::Result ask(const std::string& sql, const pg::Params& params = {}) {
    try {
      return connection_.exec(sql, params, soon());
    } catch (const Error& error) {
      problems_ += fmt::format("{}: {}\n", sql, error.what());
      return {};
    }
  }
  void want(bool good, const std::string& what) {
    if (!good) problems_ += what + "\n";
  }
  std::int64_t number(const std::string& sql) { return ask(sql).i64(0, 0); }

  void sales() {
    const auto product = uuid_of(1);
    const auto stock_sql = fmt::format("SELECT stock FROM products WHERE id = '{}'", product);
    const auto before = number(stock_sql);
    const auto cash = uuid_of(900'000 + round_ * 10);
    const auto credit = uuid_of(900'001 + round_ * 10);
    try {
      sell(connection_, {cash, product, 2, "cash", ""});
      sell(connection_, {credit, product, 3, "debt", ""});
    } catch (const Error& error) {
      problems_ += fmt::format("sale: {}\n", error.what());
      return;
    }
    want(number(stock_sql) == before - 5, "two sales of 5 pieces did not take 5 from the stock");
    want(number(fmt::format("SELECT count(*) FROM debts WHERE sale_id = '{}'", credit)) == 1,
         "a sale on credit made no debt");
    want(cancel_sale(connection_, credit), "a sale could not be cancelled");
    want(number(stock_sql) == before - 2, "a cancelled sale did not come back into the stock");
    want(number(fmt::format("SELECT count(*) FROM debts WHERE sale_id = '{}'", credit)) == 0,
         "a cancelled sale left its debt");
  }

  void lists() {
    want(ask("SELECT * FROM products WHERE name ILIKE $1 OR description ILIKE $1 OR barcode ILIKE "
             "$1 ORDER BY name",
             pg::Params::of("%roduct 1%"))
                 .rows() > 0,
         "the search found nothing");
    want(ask("SELECT * FROM products WHERE barcode = $1", pg::Params::of("B000001")).rows() == 1,
         "no product has the barcode");
    want(ask("SELECT * FROM products WHERE id = $1", pg::Params::of(uuid_of(2))).rows() == 1,
         "no product has the id");
    want(ask("SELECT * FROM products WHERE category = $1 ORDER BY name", pg::Params::of("C1"))
                 .rows() > 0,
         "a category is empty");
    want(ask("SELECT DISTINCT category FROM products").rows() == 5, "there are not 5 categories");
    want(ask("SELECT * FROM products WHERE stock <= min_stock ORDER BY stock").rows() > 0,
         "nothing is running out");
    const auto list =
        ask("SELECT sales.*, products.name FROM sales LEFT JOIN products ON products.id = "
            "sales.product_id WHERE sales.created_at >= $1 AND sales.created_at <= $2 AND "
            "sales.payment_method = $3 AND sales.status = $4 ORDER BY sales.created_at DESC",
            pg::Params::of("2000-01-01", "2100-01-01", "cash", "completed"));
    want(list.rows() > 0, "the list of sales is empty");
    want(ask("SELECT sales.*, products.name FROM sales LEFT JOIN products ON products.id = "
             "sales.product_id WHERE sales.customer_name ILIKE $1 ORDER BY sales.created_at DESC",
             pg::Params::of("%Customer%"))
                 .rows() > 0,
         "no customer has sales");
  }

  void reports() {
    const auto all = number("SELECT count(*) FROM sales");
    const auto summary = ask(
        "SELECT COUNT(*), SUM(total), SUM(CASE WHEN payment_method = 'cash' THEN total ELSE 0 END),"
        " SUM(CASE WHEN payment_method = 'mpesa' THEN total ELSE 0 END), SUM(CASE WHEN "
        "payment_method = 'debt' THEN total ELSE 0 END), AVG(total) FROM sales");
    want(summary.rows() == 1 && summary.i64(0, 0) == all, "the summary does not count every sale");
    want(ask("SELECT DATE(created_at), COUNT(*), SUM(total) FROM sales WHERE created_at >= "
             "CURRENT_DATE - 7 GROUP BY DATE(created_at) ORDER BY DATE(created_at)")
                 .rows() > 0,
         "no sales in the last days");
    want(
        ask("SELECT product_name, product_id, SUM(quantity), SUM(total), COUNT(*) FROM sales GROUP "
            "BY product_name, product_id ORDER BY SUM(quantity) DESC LIMIT 10")
                .rows() == 10,
        "there are not ten top products");
  }

  void debts_and_expenses() {
    try {
      want(pay_debt(connection_, "5.00"), "no debt could be paid");
    } catch (const Error& error) {
      problems_ += fmt::format("debt payment: {}\n", error.what());
    }
    want(ask("SELECT * FROM debts WHERE status = $1 AND customer_name ILIKE $2 ORDER BY created_at "
             "DESC",
             pg::Params::of("pending", "%Customer%"))
                 .rows() > 0,
         "the list of debts is empty");
    const auto expense = uuid_of(800'000 + round_);
    ask("INSERT INTO expenses (id, description, amount, category, expense_date, created_by) VALUES "
        "($1, 'Rent', 10, 'rent', CURRENT_DATE, $2) RETURNING *",
        pg::Params::of(expense, uuid_of(1)));
    want(ask("SELECT * FROM expenses WHERE status = $1 AND expense_date BETWEEN $2 AND $3 ORDER BY "
             "expense_date DESC",
             pg::Params::of("pending", "2000-01-01", "2100-01-01"))
                 .rows() > 0,
         "the list of expenses is empty");
    ask("UPDATE expenses SET status = 'approved', approved_by = $2, approved_at = "
        "CURRENT_TIMESTAMP "
        "WHERE id = $1",
        pg::Params::of(expense, uuid_of(2)));
  }

  void products_and_users() {
    const auto product = uuid_of(700'000 + round_);
    ask("INSERT INTO products (id, name, category, price, stock, min_stock, barcode) VALUES ($1, "
        "'New', 'C1', 9.99, 5, 10, $2) RETURNING *",
        pg::Params::of(product, fmt::format("N{}", round_)));
    ask("UPDATE products SET name = $2, price = $3, stock = $4, updated_at = CURRENT_TIMESTAMP "
        "WHERE "
        "id = $1 RETURNING *",
        pg::Params::of(product, "Newer", "8.50", 50));
    want(ask("DELETE FROM products WHERE id = $1", pg::Params::of(product)).affected() == 1,
         "a product that was never sold could not be deleted");
    want(ask("SELECT * FROM users WHERE username = $1", pg::Params::of("user1")).rows() == 1,
         "nobody can log in");
    ask("UPDATE users SET last_login = CURRENT_TIMESTAMP WHERE id = $1",
        pg::Params::of(uuid_of(1)));
  }

  pg::Connection& connection_;
  int round_;
  std::string problems_;
};

}  // namespace

std::string uuid_of(std::int64_t number) {
  return fmt::format("00000000-0000-4000-8000-{:012}", number);
}

void seed_shop(const pg::Conninfo& where) {
  auto connection = pg::Connection::connect(where, Deadline::in(std::chrono::seconds(30)));
  (void)migrate::up(connection, migrate::embedded_migrations(), {}, [](const auto&) {});
  loadgen::SeedOptions rows;
  rows.shape.products = 2'000;
  rows.shape.sales = 5'000;
  (void)loadgen::seed(where, rows);
}

void fill_shop(pg::Connection& connection, const ShopSize& size) {
  const auto uuid = [](const std::string& number) {
    return "('00000000-0000-4000-8000-' || lpad((" + number + ")::text, 12, '0'))::uuid";
  };
  connection.exec(
      fmt::format("INSERT INTO users (id, username, email, password) SELECT {}, 'user' "
                  "|| n, 'user' || n || '@shop.example', 'x' FROM generate_series(1, 2) n",
                  uuid("n")),
      soon());
  connection.exec(
      fmt::format(
          "INSERT INTO products (id, name, category, price, stock, min_stock, description, "
          "barcode) SELECT {}, 'Product ' || n, 'C' || n % 5, 10 + n % 90, CASE WHEN n % 20 "
          "= 7 THEN 3 ELSE 1000 END, 10, 'It is ' || n, 'B' || lpad(n::text, 6, '0') FROM "
          "generate_series(1, {}) n",
          uuid("n"), size.products),
      soon());
  if (size.sales == 0) return;
  connection.exec(
      fmt::format(
          "INSERT INTO sales (id, product_id, product_name, quantity, unit_price, total, "
          "payment_method, customer_name, created_by, created_at) SELECT {}, p.id, p.name, 1 "
          "+ n % 3, p.price, p.price * (1 + n % 3), CASE WHEN n % 10 = 0 THEN 'debt' WHEN n % "
          "3 = 0 THEN 'mpesa' ELSE 'cash' END, 'Customer ' || n % 50, {}, now() - n * interval "
          "'{} seconds' FROM generate_series(1, {}) n JOIN products p ON p.id = {}",
          uuid("100000 + n"), uuid("1"), std::max<std::int64_t>(1, size.days * 86'400 / size.sales),
          size.sales, uuid(fmt::format("1 + n * 7 % {}", size.products))),
      soon());
  connection.exec(
      "INSERT INTO debts (id, sale_id, customer_name, amount, balance) SELECT "
      "gen_random_uuid(), id, customer_name, total, total FROM sales WHERE payment_method "
      "= 'debt'",
      soon());
}

void sell(pg::Connection& connection, const SaleOrder& order) {
  Transaction transaction(connection);
  const auto product = connection.exec("SELECT * FROM products WHERE id = $1",
                                       pg::Params::of(order.product), soon());
  const auto name = std::string(product.text(0, product.column("name")));
  const auto price = std::string(product.text(0, product.column("price")));
  const auto created = order.created_at.empty() ? std::nullopt : std::optional(order.created_at);
  pg::Params params;
  params.add(order.sale).add(order.product).add(name).add(order.quantity).add(price);
  params.add(order.payment).add(created).add(uuid_of(1));
  connection.exec(
      "INSERT INTO sales (id, product_id, product_name, quantity, unit_price, total, "
      "payment_method, "
      "customer_name, created_at, created_by) VALUES ($1, $2, $3, $4::integer, $5::numeric, "
      "$4::integer * $5::numeric, $6, 'Customer 1', coalesce($7::timestamptz, CURRENT_TIMESTAMP), "
      "$8) "
      "RETURNING *",
      params, soon());
  connection.exec(
      "UPDATE products SET stock = stock - $2::integer, updated_at = CURRENT_TIMESTAMP "
      "WHERE id = $1",
      pg::Params::of(order.product, order.quantity), soon());
  if (order.payment == "debt") {
    connection.exec(
        "INSERT INTO debts (id, sale_id, customer_name, amount, balance) VALUES "
        "(gen_random_uuid(), $1, 'Customer 1', $2::integer * $3::numeric, $2::integer * "
        "$3::numeric)",
        pg::Params::of(order.sale, order.quantity, price), soon());
  }
  transaction.commit();
}

bool cancel_sale(pg::Connection& connection, const std::string& sale) {
  Transaction transaction(connection);
  const auto row =
      connection.exec("SELECT * FROM sales WHERE id = $1", pg::Params::of(sale), soon());
  if (row.empty()) return false;
  connection.exec(
      "UPDATE products SET stock = stock + $2::integer, updated_at = CURRENT_TIMESTAMP "
      "WHERE id = $1",
      pg::Params::of(row.text(0, row.column("product_id")), row.text(0, row.column("quantity"))),
      soon());
  connection.exec("DELETE FROM debts WHERE sale_id = $1", pg::Params::of(sale), soon());
  const auto gone =
      connection.exec("DELETE FROM sales WHERE id = $1", pg::Params::of(sale), soon());
  if (gone.affected() == 0) return false;  // another till was faster: the stock is rolled back
  transaction.commit();
  return true;
}

bool pay_debt(pg::Connection& connection, const std::string& amount) {
  Transaction transaction(connection);
  const auto debt = connection.exec(
      "SELECT * FROM debts WHERE status <> 'paid' ORDER BY random() LIMIT 1", soon());
  if (debt.empty()) return false;
  const auto id = std::string(debt.text(0, debt.column("id")));
  const auto paid = connection.exec(
      "UPDATE debts SET amount_paid = amount_paid + least($2::numeric, balance), balance = balance "
      "- "
      "least($2::numeric, balance), status = CASE WHEN balance <= $2::numeric THEN 'paid' ELSE "
      "'partial' END, updated_at = CURRENT_TIMESTAMP WHERE id = $1",
      pg::Params::of(id, amount), soon());
  if (paid.affected() == 0) return true;  // cancelled meanwhile
  connection.exec(
      "INSERT INTO debt_payments (id, debt_id, amount, payment_method) VALUES "
      "(gen_random_uuid(), $1, $2::numeric, 'cash')",
      pg::Params::of(id, amount), soon());
  transaction.commit();
  return true;
}

std::string replay_application(pg::Connection& connection, int round) {
  return Replay(connection, round).run();
}

}  // namespace pantryd::testing_support
