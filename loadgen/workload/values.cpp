// Invariant: zipfs_ has an entry for every skew that a generator of the workload has.
#include "loadgen/workload/values.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>

#include "loadgen/dataset/words.h"

namespace pantryd::loadgen {
namespace {

using Kind = Generator::Kind;

// Purposes of random numbers, so that no stream is another one's.
constexpr std::uint64_t kRepetitions = 11;
constexpr std::uint64_t kRepetition = 12;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

/// What a cashier types: the first 3 to 8 letters of an item or a brand, or something that no
/// product has.
std::string search_pattern(double misses, Random& random) {
  if (random.chance(misses)) {
    std::string word;
    for (int i = 0; i < 6; ++i) word.push_back("qxzjvw"[random.below(6)]);
    return "%" + word + "%";
  }
  const auto all = words::categories();
  const auto& category = all[random.below(all.size())];
  const auto list = random.chance(0.7) ? category.items : category.brands;
  const auto word = lower(list[random.below(list.size())]);
  const auto length = static_cast<std::size_t>(random.between(3, 8));
  auto part = word.substr(0, length);
  while (!part.empty() && part.back() == ' ') part.pop_back();
  return "%" + part + "%";
}

std::string_view weighted(const Generator& generator, Random& random) {
  double sum = 0;
  for (const double weight : generator.weights) sum += weight;
  double at = random.uniform() * sum;
  for (std::size_t i = 0; i < generator.texts.size(); ++i) {
    at -= generator.weights[i];
    if (at < 0) return generator.texts[i];
  }
  return generator.texts.back();
}

}  // namespace

void Values::reset(std::size_t count) {
  values_.resize(count);
  for (auto& value : values_) value.kind = Value::Kind::null;
  arena_.clear();
}

void Values::set_text(VariableId id, std::string_view text) {
  auto& value = at(id);
  value.kind = Value::Kind::text;
  value.at = static_cast<std::uint32_t>(arena_.size());
  value.length = static_cast<std::uint32_t>(text.size());
  arena_.append(text);
  arena_.push_back('\0');
}

void Values::set_number(VariableId id, Value::Kind kind, std::int64_t number) {
  at(id).kind = kind;
  at(id).number = number;
}

void Values::set_uuid(VariableId id, const Uuid& uuid) {
  at(id).kind = Value::Kind::uuid;
  at(id).uuid = uuid;
}

std::string Values::to_text(VariableId id) const {
  const auto& value = (*this)[id];
  switch (value.kind) {
    case Value::Kind::null:
      break;
    case Value::Kind::text:
      return {c_str(value), value.length};
    case Value::Kind::integer:
      return std::to_string(value.number);
    case Value::Kind::cents:
      return fmt::format("{}.{:02}", value.number / 100, value.number % 100);
    case Value::Kind::day:
      return fmt::format("{:%Y-%m-%d}",
                         fmt::gmtime(static_cast<std::time_t>(value.number * 86'400)));
    case Value::Kind::real:
      return fmt::format("{}", std::bit_cast<double>(value.number));
    case Value::Kind::uuid:
      return loadgen::to_text(value.uuid);
  }
  return {};
}

bool Values::equals(VariableId id, std::string_view text) const {
  const auto& value = (*this)[id];
  if (value.kind == Value::Kind::null) return false;
  if (value.kind != Value::Kind::text) return to_text(id) == text;
  return std::string_view(c_str(value), value.length) == text;
}

ValueSource::ValueSource(const Workload& workload, std::optional<DatasetShape> shape,
                         std::uint64_t nonce)
    : nonce_(nonce) {
  if (!shape) return;
  grocery_.emplace(*shape);
  for (const auto& operation : workload.operations) {
    for (const auto& variable : operation.variables) {
      if (!variable.generator || variable.generator->skew <= 0) continue;
      const bool customers = variable.generator->kind == Kind::customer_phone;
      const auto count = customers ? grocery_->customers() : shape->products;
      zipfs_.try_emplace({customers, variable.generator->skew}, count, variable.generator->skew);
    }
  }
}

const Zipf& ValueSource::zipf(bool customers, double skew) const {
  return zipfs_.at({customers, skew});
}

bool ValueSource::holds(const std::optional<Condition>& condition, const Values& values) {
  if (!condition) return true;
  if (!condition->equals) return !values.is_null(condition->variable);
  return values.equals(condition->variable, *condition->equals);
}

void ValueSource::draw(const Operation& operation, std::uint64_t seed, Values& values) const {
  Random random(seed);
  values.reset(operation.variables.size());
  VariableId from = 0;
  for (const auto& repeat : operation.repeats) {
    draw_some(operation, from, repeat.from, random, values);
    from = repeat.to;
  }
  draw_some(operation, from, static_cast<VariableId>(operation.variables.size()), random, values);
}

void ValueSource::draw_some(const Operation& operation, VariableId from, VariableId to,
                            Random& random, Values& values) const {
  for (VariableId id = from; id < to; ++id) {
    const auto& generator = operation.variables[static_cast<std::size_t>(id)].generator;
    if (generator && holds(generator->when, values)) make(id, *generator, random, values);
  }
}

std::int64_t ValueSource::repetitions(const Operation& operation, std::size_t repeat,
                                      std::uint64_t seed) const {
  const auto& range = operation.repeats[repeat];
  return Random(mix64(seed, kRepetitions, repeat)).between(range.least, range.most);
}

void ValueSource::draw_repetition(const Operation& operation, std::size_t repeat,
                                  std::int64_t repetition, std::uint64_t seed,
                                  Values& values) const {
  const auto& own = operation.repeats[repeat];
  for (VariableId id = own.from; id < own.to; ++id) values.set_null(id);
  if (own.number >= 0) values.set_number(own.number, Value::Kind::integer, repetition);
  Random random(mix64(seed, kRepetition, repeat, repetition));
  draw_some(operation, own.from, own.to, random, values);
}

std::int64_t ValueSource::recent_sale(double share, Random& random) const {
  // Exponential age: a shop looks at what it sold lately. Never older than the first sale.
  const auto sales = std::max<std::int64_t>(1, grocery_->shape().sales);
  const double age = -std::log1p(-random.uniform()) * share * static_cast<double>(sales);
  return std::max<std::int64_t>(0, sales - 1 - static_cast<std::int64_t>(age) % sales);
}

/// Sorted, so that two baskets lock the products that they share in the same order.
std::string ValueSource::product_ids(const Generator& generator, Random& random) const {
  // Lines of a basket are skewed to the right: most are small, one in a hundred is four times the
  // mean (log-normal with a spread of 0.7; Instacart's orders have 10.1 lines on average).
  constexpr double kSpread = 0.7;
  constexpr double kBasketMax = 100;
  double wanted = 0;
  if (generator.high > 0) {
    wanted = static_cast<double>(random.between(generator.low, generator.high));
  } else {
    const double radius = std::sqrt(-2 * std::log1p(-random.uniform()));
    const double normal = radius * std::cos(6.283185307179586 * random.uniform());
    wanted = generator.share * std::exp(kSpread * normal - kSpread * kSpread / 2);
    wanted = std::clamp(std::round(wanted), 1.0, kBasketMax);
  }
  std::vector<Uuid> ids;
  for (auto left = static_cast<int>(wanted); left > 0; --left) {
    const auto rank = zipf(false, generator.skew)(random);
    ids.push_back(grocery_->id(Table::products, grocery_->product_of_rank(rank)));
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());  // two of one are one line
  std::string out = "{";
  for (const auto& each : ids) {
    if (out.size() > 1) out.push_back(',');
    out += to_text(each);
  }
  return out + "}";
}

void ValueSource::make(VariableId id, const Generator& generator, Random& random,
                       Values& values) const {
  const auto product = [&] {
    return grocery_->product_of_rank(zipf(false, generator.skew)(random));
  };
  const auto any_of = [&random](std::int64_t count) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count)));
  };
  switch (generator.kind) {
    case Kind::literal:
      return values.set_text(id, generator.texts.front());
    case Kind::choice:
      return values.set_text(id, weighted(generator, random));
    case Kind::integer:
      return values.set_number(id, Value::Kind::integer,
                               random.between(generator.low, generator.high));
    case Kind::money:
      return values.set_number(id, Value::Kind::cents,
                               random.between(generator.low, generator.high));
    case Kind::exponential:
      return values.set_number(
          id, Value::Kind::real,
          std::bit_cast<std::int64_t>(-std::log1p(-random.uniform()) * generator.share));
    case Kind::uuid: {
      const auto high = random.next();
      return values.set_uuid(id, make_uuid(mix64(nonce_, high), mix64(nonce_, random.next())));
    }
    case Kind::product_id:
      return values.set_uuid(id, grocery_->id(Table::products, product()));
    case Kind::product_ids:
      return values.set_text(id, product_ids(generator, random));
    case Kind::barcode:
      return values.set_text(id, grocery_->barcode(product()));
    case Kind::category:
      return values.set_text(id,
                             words::categories()[random.below(words::categories().size())].name);
    case Kind::search_pattern:
      return values.set_text(id, search_pattern(generator.share, random));
    case Kind::customer_phone:
      return values.set_text(id, grocery_->customer_phone(zipf(true, generator.skew)(random)));
    case Kind::customer_name:
      return values.set_text(id, grocery_->customer_name(any_of(grocery_->customers())));
    case Kind::user_id:
      return values.set_uuid(id, grocery_->id(Table::users, any_of(grocery_->shape().users)));
    case Kind::sale_id:
      return values.set_uuid(id, grocery_->id(Table::sales, recent_sale(generator.share, random)));
    case Kind::debt_id: {
      auto sale = recent_sale(generator.share, random);
      // One sale in ten has a debt; the bound only guards a dataset without any.
      for (int i = 0; i < 1000 && sale > 0 && !grocery_->has_debt(sale); ++i) --sale;
      return values.set_uuid(id, grocery_->id(Table::debts, sale));
    }
    case Kind::mpesa_code:
      return values.set_text(id, make_mpesa_code(random));
    case Kind::days_ago:
      return values.set_number(
          id, Value::Kind::day,
          grocery_->shape().as_of_day - random.between(generator.low, generator.high));
  }
}

}  // namespace pantryd::loadgen
