// Invariant: each append_* writes exactly the columns that its COPY statement names, in order.
#include "loadgen/dataset/copy_rows.h"

#include <array>

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kDaysTo2000 = 10'957;  // from 1970-01-01 to 2000-01-01
constexpr std::int64_t kMicrosTo2000 = kDaysTo2000 * 86'400 * 1'000'000;

void append_user(CopyBuffer& out, const User& user) {
  out.row(9);
  out.uuid(user.id);
  out.text(user.username);
  out.text(user.email);
  out.text(user.password);
  out.text(user.role);
  out.boolean(user.is_active);
  out.null();  // last_login
  out.timestamptz(user.created_us);
  out.timestamptz(user.created_us);
}

void append_product(CopyBuffer& out, const Product& product) {
  out.row(13);
  out.uuid(product.id);
  out.text(product.name);
  out.text(product.category);
  out.numeric_cents(product.price_cents);
  out.int4(product.stock);
  out.int4(product.min_stock);
  out.text(product.description);
  out.text(product.barcode);
  out.text(product.supplier);
  out.numeric_cents(product.cost_cents);
  out.boolean(product.is_active);
  out.timestamptz(product.created_us);
  out.timestamptz(product.created_us);
}

void append_customer(CopyBuffer& out, const Grocery& grocery,
                     const std::optional<std::int64_t>& customer) {
  if (customer) {
    out.text(grocery.customer_name(*customer));
    out.text(grocery.customer_phone(*customer));
  } else {
    out.null();
    out.null();
  }
}

void append_sale(CopyBuffer& out, const Grocery& grocery, const Sale& sale) {
  out.row(15);
  out.uuid(sale.id);
  out.uuid(sale.product.id);
  out.text(sale.product.name);
  out.int4(sale.quantity);
  out.numeric_cents(sale.product.price_cents);
  out.numeric_cents(sale.total_cents);
  out.text(sale.payment_method);
  append_customer(out, grocery, sale.customer);
  out.text(sale.status);
  out.maybe_text(sale.mpesa_code);
  out.null();  // notes
  out.uuid(sale.created_by);
  out.timestamptz(sale.created_us);
  out.timestamptz(sale.created_us);
}

void append_debt(CopyBuffer& out, const Grocery& grocery, const Sale& sale, const Debt& debt) {
  out.row(13);
  out.uuid(debt.id);
  out.uuid(sale.id);
  append_customer(out, grocery, sale.customer);
  out.numeric_cents(debt.amount_cents);
  out.numeric_cents(debt.paid_cents);
  out.numeric_cents(debt.amount_cents - debt.paid_cents);
  out.text(debt.status);
  out.date(debt.due_day);
  out.null();  // notes
  out.uuid(sale.created_by);
  out.timestamptz(sale.created_us);
  out.timestamptz(sale.created_us);
}

int append_payments(CopyBuffer& out, const Sale& sale, const Debt& debt) {
  int rows = 0;
  for (const auto& payment : debt.payments) {
    if (!payment) continue;
    out.row(9);
    out.uuid(payment->id);
    out.uuid(debt.id);
    out.numeric_cents(payment->cents);
    out.text(payment->payment_method);
    out.maybe_text(payment->mpesa_code);
    out.null();  // notes
    out.uuid(sale.created_by);
    out.timestamptz(payment->created_us);
    out.timestamptz(payment->created_us);
    ++rows;
  }
  return rows;
}

void append_expense(CopyBuffer& out, const Expense& expense) {
  out.row(13);
  out.uuid(expense.id);
  out.text(expense.description);
  out.numeric_cents(expense.amount_cents);
  out.text(expense.category);
  out.text(expense.status);
  out.date(expense.expense_day);
  out.text(expense.receipt_number);
  out.null();  // notes
  out.uuid(expense.created_by);
  if (expense.approved_by) {
    out.uuid(*expense.approved_by);
    out.timestamptz(expense.created_us + 3'600'000'000);
  } else {
    out.null();
    out.null();
  }
  out.timestamptz(expense.created_us);
  out.timestamptz(expense.created_us);
}

}  // namespace

void CopyBuffer::header() {
  data.append("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
}
void CopyBuffer::trailer() {
  int2(-1);
}
void CopyBuffer::row(int columns) {
  int2(static_cast<std::int16_t>(columns));
}
void CopyBuffer::null() {
  data.append("\377\377\377\377", 4);
}

void CopyBuffer::int2(std::int16_t value) {
  const auto bits = static_cast<std::uint16_t>(value);
  data.push_back(static_cast<char>(bits >> 8U));
  data.push_back(static_cast<char>(bits));
}

void CopyBuffer::int8(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) data.push_back(static_cast<char>(bits >> shift));
}

namespace {
void append_length(std::string& data, std::uint32_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) data.push_back(static_cast<char>(length >> shift));
}
}  // namespace

void CopyBuffer::text(std::string_view value) {
  append_length(data, static_cast<std::uint32_t>(value.size()));
  data.append(value);
}

void CopyBuffer::uuid(const Uuid& value) {
  append_length(data, 16);
  data.append(reinterpret_cast<const char*>(value.data()), value.size());
}

void CopyBuffer::int4(std::int32_t value) {
  append_length(data, 4);
  append_length(data, static_cast<std::uint32_t>(value));
}

void CopyBuffer::boolean(bool value) {
  append_length(data, 1);
  data.push_back(value ? '\1' : '\0');
}

void CopyBuffer::numeric_cents(std::int64_t cents) {
  // numeric is base 10000: the whole part in groups of four digits, then one group of decimals.
  std::array<std::int16_t, 8> digits{};
  std::size_t count = 0;
  std::int64_t whole = cents / 100;
  while (whole > 0 && count < 6) {
    digits[count++] = static_cast<std::int16_t>(whole % 10'000);
    whole /= 10'000;
  }
  const auto fraction = static_cast<std::int16_t>(cents % 100 * 100);
  const std::size_t total = count + (fraction != 0 ? 1 : 0);
  append_length(data, static_cast<std::uint32_t>(8 + 2 * total));
  int2(static_cast<std::int16_t>(total));
  int2(static_cast<std::int16_t>(count) - 1);  // weight of the first group
  int2(0);                                     // positive
  int2(2);                                     // decimals shown
  for (std::size_t i = count; i > 0; --i) int2(digits[i - 1]);
  if (fraction != 0) int2(fraction);
}

void CopyBuffer::timestamptz(MicrosUtc value) {
  append_length(data, 8);
  int8(value - kMicrosTo2000);
}

void CopyBuffer::date(std::int64_t days_since_1970) {
  int4(static_cast<std::int32_t>(days_since_1970 - kDaysTo2000));
}

std::string_view to_string(Table table) {
  switch (table) {
    case Table::users:
      return "users";
    case Table::products:
      return "products";
    case Table::sales:
      return "sales";
    case Table::expenses:
      return "expenses";
    case Table::debts:
      return "debts";
    case Table::debt_payments:
      return "debt_payments";
  }
  return "";
}

std::string copy_statement(Table table) {
  const auto columns = [&]() -> std::string_view {
    switch (table) {
      case Table::users:
        return "username, email, password, role, is_active, last_login";
      case Table::products:
        return "name, category, price, stock, min_stock, description, barcode, supplier, "
               "cost_price, is_active";
      case Table::sales:
        return "product_id, product_name, quantity, unit_price, total, payment_method, "
               "customer_name, customer_phone, status, mpesa_code, notes, created_by";
      case Table::expenses:
        return "description, amount, category, status, expense_date, receipt_number, notes, "
               "created_by, approved_by, approved_at";
      case Table::debts:
        return "sale_id, customer_name, customer_phone, amount, amount_paid, balance, status, "
               "due_date, notes, created_by";
      case Table::debt_payments:
        return "debt_id, amount, payment_method, mpesa_code, notes, received_by";
    }
    return "";
  }();
  return "COPY " + std::string(to_string(table)) + " (id, " + std::string(columns) +
         ", created_at, updated_at) FROM STDIN (FORMAT binary)";
}

int append_rows(CopyBuffer& out, const Grocery& grocery, Table table, std::int64_t index) {
  switch (table) {
    case Table::users:
      append_user(out, grocery.user(index));
      return 1;
    case Table::products:
      append_product(out, grocery.product(index));
      return 1;
    case Table::sales:
      append_sale(out, grocery, grocery.sale(index));
      return 1;
    case Table::expenses:
      append_expense(out, grocery.expense(index));
      return 1;
    case Table::debts:
    case Table::debt_payments:
      break;
  }
  if (!grocery.has_debt(index)) return 0;
  const auto sale = grocery.sale(index);
  const auto debt = grocery.debt(sale, index);
  if (table == Table::debt_payments) return append_payments(out, sale, debt);
  append_debt(out, grocery, sale, debt);
  return 1;
}

}  // namespace pantryd::loadgen
