// No state beyond the shape and what is derived from it in the constructor.
#include "loadgen/dataset/grocery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "loadgen/dataset/words.h"

namespace pantryd::loadgen {
namespace {

constexpr MicrosUtc kSecond = 1'000'000;
constexpr MicrosUtc kHour = 3600 * kSecond;
constexpr MicrosUtc kDay = 24 * kHour;
constexpr std::uint64_t kBarcodeSpace = 1'000'000'000;
// Odd and not a multiple of 5: no common divisor with a power of ten, so codes stay unique.
constexpr std::uint64_t kBarcodeFactor = 618'033'987;

std::string_view pick(Random& random, std::span<const std::string_view> list) {
  return list[random.below(list.size())];
}

}  // namespace

Uuid make_uuid(std::uint64_t high, std::uint64_t low) {
  Uuid out;
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<unsigned char>(high >> (56 - 8 * i));
    out[8 + i] = static_cast<unsigned char>(low >> (56 - 8 * i));
  }
  out[6] = static_cast<unsigned char>((out[6] & 0x0FU) | 0x40U);
  out[8] = static_cast<unsigned char>((out[8] & 0x3FU) | 0x80U);
  return out;
}

std::string to_text(const Uuid& uuid) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out.push_back(digits[uuid[i] >> 4U]);
    out.push_back(digits[uuid[i] & 0x0FU]);
  }
  return out;
}

char ean13_check_digit(std::string_view twelve_digits) {
  int sum = 0;
  for (std::size_t i = 0; i < twelve_digits.size(); ++i) {
    sum += (twelve_digits[i] - '0') * (i % 2 == 0 ? 1 : 3);
  }
  return static_cast<char>('0' + (10 - sum % 10) % 10);
}

std::string make_mpesa_code(Random& random) {
  static constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string out;
  for (int i = 0; i < 10; ++i) out.push_back(alphabet[random.below(alphabet.size())]);
  return out;
}

Grocery::Grocery(DatasetShape shape)
    : shape_(shape),
      customers_(std::max<std::int64_t>(100, shape.sales / 20)),
      popularity_(shape.products, kGrocerySkew),
      loyalty_(customers_, 0.7),
      scatter_(shape.products, shape.seed) {}

Random Grocery::stream(Table table, std::int64_t index, std::uint64_t purpose) const {
  return Random(mix64(shape_.seed, static_cast<std::uint64_t>(table), index, purpose));
}

Uuid Grocery::id(Table table, std::int64_t index) const {
  const auto number = static_cast<std::uint64_t>(table);
  return make_uuid(mix64(shape_.seed, number, index, 101), mix64(shape_.seed, number, index, 102));
}

std::string Grocery::barcode(std::int64_t product) const {
  const auto offset = mix64(shape_.seed, 0xBA2C0DEU) % kBarcodeSpace;
  const auto number =
      (static_cast<std::uint64_t>(product) % kBarcodeSpace * kBarcodeFactor + offset) %
      kBarcodeSpace;
  auto out = fmt::format("616{:09}", number);  // 616 is the prefix of GS1 Kenya
  out.push_back(ean13_check_digit(out));
  return out;
}

User Grocery::user(std::int64_t index) const {
  auto random = stream(Table::users, index);
  User out;
  out.id = id(Table::users, index);
  const auto first = pick(random, words::first_names());
  out.username = fmt::format("{}.{}", first, index + 1);
  std::transform(out.username.begin(), out.username.end(), out.username.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  out.email = out.username + "@shop.example";
  // Shaped like bcrypt but of no password: nobody can log in as a made-up user.
  out.password = "$2b$10$" + std::string(53, '.');
  out.role = index == 0 ? "admin" : (index < 5 ? "manager" : "cashier");
  out.is_active = index == 0 || random.chance(0.95);
  out.created_us = (shape_.as_of_day - shape_.days - 60) * kDay + index * kHour;
  return out;
}

Product Grocery::product(std::int64_t index) const {
  auto random = stream(Table::products, index);
  const auto& category = words::categories()[random.below(words::categories().size())];
  const auto item = pick(random, category.items);
  const auto brand = pick(random, category.brands);
  const auto variant = pick(random, words::variants());
  const auto size = pick(random, category.sizes);
  Product out;
  out.id = id(Table::products, index);
  out.name = variant.empty() ? fmt::format("{} {} {}", brand, item, size)
                             : fmt::format("{} {} {} {}", brand, variant, item, size);
  out.category = category.name;
  out.price_cents =
      random.between(category.price_low_shillings, category.price_high_shillings) * 100;
  if (random.chance(0.2)) out.price_cents += 50;
  out.cost_cents = out.price_cents * random.between(70, 92) / 100;
  out.min_stock = static_cast<std::int32_t>(random.between(5, 30));
  // About one product in fifty is at or below its minimum.
  out.stock = random.chance(0.02) ? static_cast<std::int32_t>(random.between(0, out.min_stock))
                                  : static_cast<std::int32_t>(random.between(31, 5000));
  out.description = fmt::format("{} by {}, {}", item, brand, size);
  out.barcode = barcode(index);
  out.supplier = pick(random, words::suppliers());
  out.is_active = random.chance(0.98);
  out.created_us = (shape_.as_of_day - shape_.days - 30) * kDay + index % 86'400 * kSecond;
  return out;
}

std::string Grocery::customer_name(std::int64_t customer) const {
  auto random = stream(Table::sales, customer, 7);
  const auto first = pick(random, words::first_names());
  return fmt::format("{} {}", first, pick(random, words::last_names()));
}

std::string Grocery::customer_phone(std::int64_t customer) const {
  return fmt::format(
      "+2547{:08}",
      (static_cast<std::uint64_t>(customer) * 61'803'399 + shape_.seed % 1000) % 100'000'000);
}

std::string_view Grocery::payment_method(std::int64_t sale) const {
  const auto draw = stream(Table::sales, sale, 1).uniform();
  return draw < 0.10 ? "debt" : (draw < 0.45 ? "mpesa" : "cash");
}

bool Grocery::has_debt(std::int64_t index) const {
  return payment_method(index) == "debt";
}

MicrosUtc Grocery::sale_time_us(std::int64_t index) const {
  // Later sales have higher indexes. Within a day the shop is open from 04:00 to 18:00 UTC (07:00
  // to 21:00 in Nairobi), with a peak at noon and one in the evening.
  const double at = (static_cast<double>(index) + 0.5) / static_cast<double>(shape_.sales) *
                    static_cast<double>(shape_.days);
  const double day = std::floor(at);
  const double part = at - day;
  const double shaped = part - 0.06 * std::sin(4 * std::numbers::pi * part);
  return (shape_.as_of_day - shape_.days + static_cast<std::int64_t>(day)) * kDay + 4 * kHour +
         static_cast<MicrosUtc>(shaped * static_cast<double>(14 * kHour));
}

Sale Grocery::sale(std::int64_t index) const {
  auto random = stream(Table::sales, index);
  Sale out;
  out.id = id(Table::sales, index);
  out.product_index = product_of_rank(popularity_(random));
  out.product = product(out.product_index);
  out.quantity = 1;
  while (out.quantity < 12 && random.chance(0.45)) ++out.quantity;
  out.total_cents = out.product.price_cents * out.quantity;
  out.payment_method = payment_method(index);
  if (out.payment_method == "debt" || random.chance(0.4)) out.customer = loyalty_(random);
  if (out.payment_method == "mpesa") out.mpesa_code = make_mpesa_code(random);
  const double state = random.uniform();
  out.status = out.payment_method == "debt" || state < 0.985
                   ? "completed"
                   : (state < 0.995 ? "cancelled" : "pending");
  out.created_by =
      id(Table::users, static_cast<std::int64_t>(random.below(
                           static_cast<std::uint64_t>(std::max<std::int64_t>(1, shape_.users)))));
  out.created_us = sale_time_us(index);
  return out;
}

Debt Grocery::debt(const Sale& sale, std::int64_t index) const {
  auto random = stream(Table::debts, index);
  Debt out;
  out.id = id(Table::debts, index);
  out.amount_cents = sale.total_cents;
  out.paid_cents = 0;
  out.due_day = sale.created_us / kDay + 30;
  const double fate = random.uniform();
  const int payments = fate < 0.30 ? 0 : (fate < 0.75 ? 1 : 2);
  const bool in_full = random.chance(0.6);
  std::int64_t left = in_full ? out.amount_cents : out.amount_cents * 6 / 10;
  const MicrosUtc end_us = shape_.as_of_day * kDay - kSecond;
  for (int i = 0; i < payments; ++i) {
    const auto cents = i + 1 == payments ? left : left / 2;
    if (cents <= 0) break;
    DebtPayment payment;
    payment.id = id(Table::debt_payments, 2 * index + i);
    payment.cents = cents;
    payment.payment_method = random.chance(0.6) ? "mpesa" : "cash";
    if (payment.payment_method == "mpesa") payment.mpesa_code = make_mpesa_code(random);
    payment.created_us = std::min(end_us, sale.created_us + (i + 1) * random.between(1, 12) * kDay);
    out.payments[static_cast<std::size_t>(i)] = payment;
    out.paid_cents += cents;
    left -= cents;
  }
  if (out.paid_cents == out.amount_cents) {
    out.status = "paid";
  } else if (out.due_day < shape_.as_of_day) {
    out.status = "overdue";
  } else {
    out.status = out.paid_cents > 0 ? "partial" : "pending";
  }
  return out;
}

Expense Grocery::expense(std::int64_t index) const {
  auto random = stream(Table::expenses, index);
  Expense out;
  out.id = id(Table::expenses, index);
  out.category = pick(random, words::expense_categories());
  out.expense_day = shape_.as_of_day - shape_.days + index * shape_.days / expenses();
  out.description = fmt::format("{} for day {}", out.category, index / 20 + 1);
  out.amount_cents = random.between(200, 60'000) * 100;
  const double state = random.uniform();
  out.status = state < 0.8 ? "approved" : (state < 0.95 ? "pending" : "rejected");
  out.receipt_number = fmt::format("R{:08}", index + 1);
  const auto users = static_cast<std::uint64_t>(std::max<std::int64_t>(1, shape_.users));
  out.created_by = id(Table::users, static_cast<std::int64_t>(random.below(users)));
  if (out.status == "approved") out.approved_by = id(Table::users, 0);
  out.created_us = out.expense_day * kDay + 6 * kHour;
  return out;
}

}  // namespace pantryd::loadgen
