// Makes rows from the shape and the tables that the constructor derived from it; nothing changes
// afterwards.
#include "loadgen/dataset/grocery.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loadgen/dataset/words.h"

namespace pantryd::loadgen {
namespace {

constexpr MicrosUtc kSecond = 1'000'000;
constexpr MicrosUtc kHour = 3600 * kSecond;
constexpr MicrosUtc kDay = 24 * kHour;
constexpr std::uint64_t kBarcodeSpace = 1'000'000'000;
// Odd and not a multiple of 5: no common divisor with a power of ten, so codes stay unique.
constexpr std::uint64_t kBarcodeFactor = 618'033'987;

// What a week sells, Monday first, in parts of an average day. The sum is 7.
constexpr std::array<double, 7> kWeek{0.80, 0.82, 0.88, 0.95, 1.15, 1.35, 1.05};
// What a day sells, by hours from 07:00 to 21:00 in Nairobi (04:00 to 18:00 UTC), in parts of an
// average open hour: a small peak at noon, twice the average from 18:00 to 19:00, closed at night.
constexpr std::array<double, 14> kOpenHours{0.60, 0.80, 0.80, 0.85, 0.90, 1.10, 1.05,
                                            0.80, 0.75, 0.90, 1.30, 2.00, 1.40, 0.75};
constexpr int kOpensAtUtc = 4;

constexpr std::size_t weekday(std::int64_t day) {  // 1970-01-01 was a Thursday
  return static_cast<std::size_t>(((day + 3) % 7 + 7) % 7);
}

/// What the first `days` days from `start` on sell, in average days.
double weight_of_days(std::int64_t start, std::int64_t days) {
  auto sum = 7.0 * static_cast<double>(days / 7);
  for (std::int64_t i = days / 7 * 7; i < days; ++i) sum += kWeek[weekday(start + i)];
  return sum;
}

void append_number(std::string& out, std::uint64_t number, int digits) {
  std::array<char, 20> text{};
  for (auto i = digits - 1; i >= 0; --i, number /= 10) {
    text[static_cast<std::size_t>(i)] = static_cast<char>('0' + number % 10);
  }
  out.append(text.data(), static_cast<std::size_t>(digits));
}

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

Uuid make_uuid_v7(MicrosUtc time, std::uint64_t low) {
  const auto micros = static_cast<std::uint64_t>(std::max<MicrosUtc>(0, time));
  const auto fraction = micros % 1000 * 4096 / 1000;  // 12 bits of the millisecond
  auto out = make_uuid(micros / 1000 << 16U | fraction, low);
  out[6] = static_cast<unsigned char>((out[6] & 0x0FU) | 0x70U);
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

std::int64_t DatasetShape::first_sales() const {
  auto out = sales;
  for (const auto added : top_ups) out -= added;
  return out;
}

/// What a name is made of.
struct Grocery::Label {
  const words::Category& category;
  std::string_view item, brand, variant, size;
  std::int64_t price_cents;

  [[nodiscard]] std::string name() const {
    std::string out;
    out.reserve(64);
    out.append(brand).push_back(' ');
    if (!variant.empty()) out.append(variant).push_back(' ');
    out.append(item).push_back(' ');
    out.append(size);
    return out;
  }
};

Grocery::Grocery(DatasetShape shape)
    : shape_(std::move(shape)),
      popularity_(shape_.products, kGrocerySkew),
      scatter_(shape_.products, shape_.seed) {
  std::int64_t end = 0;
  const auto add = [&](std::int64_t sales) {
    const auto begin = end;
    end += sales;
    const auto customers = std::max<std::int64_t>(100, end / 20);
    parts_.push_back({begin, end, customers, Zipf(customers, 0.7)});
  };
  add(shape_.first_sales());
  for (const auto sales : shape_.top_ups) add(sales);
}

const Grocery::Part& Grocery::part_of(std::int64_t sale) const {
  auto at = parts_.size() - 1;
  while (at > 0 && sale < parts_[at].begin) --at;
  return parts_[at];
}

Random Grocery::stream(Table table, std::int64_t index, std::uint64_t purpose) const {
  return Random(mix64(shape_.seed, static_cast<std::uint64_t>(table), index, purpose));
}

Uuid Grocery::id(Table table, std::int64_t index) const {
  return id_at(table, index, shape_.keys == Keys::v7 ? created_us(table, index) : 0);
}

Uuid Grocery::id_at(Table table, std::int64_t index, MicrosUtc created) const {
  const auto number = static_cast<std::uint64_t>(table);
  const auto low = mix64(shape_.seed, number, index, 102);
  if (shape_.keys == Keys::v7) return make_uuid_v7(created, low);
  return make_uuid(mix64(shape_.seed, number, index, 101), low);
}

MicrosUtc Grocery::created_us(Table table, std::int64_t index) const {
  switch (table) {
    case Table::users:
      return (shape_.as_of_day - shape_.days - 60) * kDay + index * kHour;
    case Table::products:
      return (shape_.as_of_day - shape_.days - 30) * kDay + index % 86'400 * kSecond;
    case Table::expenses:
      return (shape_.as_of_day - shape_.days + index * shape_.days / expenses()) * kDay + 6 * kHour;
    case Table::sales:
    case Table::debts:
      return sale_time_us(index);
    case Table::debt_payments:
      break;
  }
  const auto number = index / 2;  // of the sale
  if (!has_debt(number)) return sale_time_us(number);
  const auto made = debt(sale(number), number).payments[static_cast<std::size_t>(index % 2)];
  return made ? made->created_us : sale_time_us(number);
}

std::string Grocery::barcode(std::int64_t product) const {
  const auto offset = mix64(shape_.seed, 0xBA2C0DEU) % kBarcodeSpace;
  const auto number =
      (static_cast<std::uint64_t>(product) % kBarcodeSpace * kBarcodeFactor + offset) %
      kBarcodeSpace;
  std::string out = "616";  // the prefix of GS1 Kenya
  append_number(out, number, 9);
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
  out.created_us = created_us(Table::users, index);
  return out;
}

// Draws first of all, so that a sale needs to draw no more of its product than this.
Grocery::Label Grocery::label(Random& random) const {
  const auto& category = words::categories()[random.below(words::categories().size())];
  Label out{category,
            pick(random, category.items),
            pick(random, category.brands),
            pick(random, words::variants()),
            pick(random, category.sizes),
            0};
  out.price_cents =
      random.between(category.price_low_shillings, category.price_high_shillings) * 100;
  if (random.chance(0.2)) out.price_cents += 50;
  return out;
}

SoldProduct Grocery::sold_product(std::int64_t index) const {
  auto random = stream(Table::products, index);
  const auto words = label(random);
  return {id(Table::products, index), words.name(), words.price_cents};
}

Product Grocery::product(std::int64_t index) const {
  auto random = stream(Table::products, index);
  const auto words = label(random);
  Product out;
  out.id = id(Table::products, index);
  out.name = words.name();
  out.category = words.category.name;
  out.price_cents = words.price_cents;
  out.cost_cents = out.price_cents * random.between(70, 92) / 100;
  out.min_stock = static_cast<std::int32_t>(random.between(5, 30));
  // About one product in fifty is at or below its minimum.
  out.stock = random.chance(0.02) ? static_cast<std::int32_t>(random.between(0, out.min_stock))
                                  : static_cast<std::int32_t>(random.between(31, 5000));
  out.description = fmt::format("{} by {}, {}", words.item, words.brand, words.size);
  out.barcode = barcode(index);
  out.supplier = pick(random, words::suppliers());
  out.is_active = random.chance(0.98);
  out.created_us = created_us(Table::products, index);
  return out;
}

std::string Grocery::customer_name(std::int64_t customer) const {
  auto random = stream(Table::sales, customer, 7);
  std::string out(pick(random, words::first_names()));
  out.push_back(' ');
  out.append(pick(random, words::last_names()));
  return out;
}

std::string Grocery::customer_phone(std::int64_t customer) const {
  std::string out = "+2547";
  append_number(
      out, (static_cast<std::uint64_t>(customer) * 61'803'399 + shape_.seed % 1000) % 100'000'000,
      8);
  return out;
}

std::string_view Grocery::payment_method(std::int64_t sale) const {
  const auto draw = stream(Table::sales, sale, 1).uniform();
  return draw < 0.10 ? "debt" : (draw < 0.45 ? "mpesa" : "cash");
}

bool Grocery::has_debt(std::int64_t index) const {
  return payment_method(index) == "debt";
}

MicrosUtc Grocery::sale_time_us(std::int64_t index) const {
  // Within a part, later sales have higher indexes.
  const auto& part = part_of(index);
  const auto start = shape_.as_of_day - shape_.days;
  auto left = (static_cast<double>(index - part.begin) + 0.5) /
              static_cast<double>(part.end - part.begin) * weight_of_days(start, shape_.days);
  auto day = static_cast<std::int64_t>(left / 7.0) * 7;
  left -= static_cast<double>(day);
  for (int i = 0; i < 6 && left >= kWeek[weekday(start + day)]; ++i, ++day) {
    left -= kWeek[weekday(start + day)];
  }
  auto of_day = left / kWeek[weekday(start + day)] * static_cast<double>(kOpenHours.size());
  std::size_t hour = 0;
  for (; hour + 1 < kOpenHours.size() && of_day >= kOpenHours[hour]; ++hour) {
    of_day -= kOpenHours[hour];
  }
  const auto part_of_hour = std::min(of_day / kOpenHours[hour], 0.999999);
  return (start + std::min<std::int64_t>(day, shape_.days - 1)) * kDay +
         (kOpensAtUtc + static_cast<std::int64_t>(hour)) * kHour +
         static_cast<MicrosUtc>(part_of_hour * static_cast<double>(kHour));
}

Sale Grocery::sale(std::int64_t index) const {
  auto random = stream(Table::sales, index);
  Sale out;
  out.created_us = sale_time_us(index);
  out.id = id_at(Table::sales, index, out.created_us);
  out.product_index = product_of_rank(popularity_(random));
  out.product = sold_product(out.product_index);
  out.quantity = 1;
  while (out.quantity < 12 && random.chance(0.45)) ++out.quantity;
  out.total_cents = out.product.price_cents * out.quantity;
  out.payment_method = payment_method(index);
  if (out.payment_method == "debt" || random.chance(0.4)) {
    out.customer = part_of(index).loyalty(random);
  }
  if (out.payment_method == "mpesa") out.mpesa_code = make_mpesa_code(random);
  const double state = random.uniform();
  out.status = out.payment_method == "debt" || state < 0.985
                   ? "completed"
                   : (state < 0.995 ? "cancelled" : "pending");
  out.created_by =
      id(Table::users, static_cast<std::int64_t>(random.below(
                           static_cast<std::uint64_t>(std::max<std::int64_t>(1, shape_.users)))));
  return out;
}

Debt Grocery::debt(const Sale& sale, std::int64_t index) const {
  auto random = stream(Table::debts, index);
  Debt out;
  out.id = id_at(Table::debts, index, sale.created_us);
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
    payment.cents = cents;
    payment.payment_method = random.chance(0.6) ? "mpesa" : "cash";
    if (payment.payment_method == "mpesa") payment.mpesa_code = make_mpesa_code(random);
    payment.created_us = std::min(end_us, sale.created_us + (i + 1) * random.between(1, 12) * kDay);
    payment.id = id_at(Table::debt_payments, 2 * index + i, payment.created_us);
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
  out.created_us = created_us(Table::expenses, index);
  return out;
}

}  // namespace pantryd::loadgen
