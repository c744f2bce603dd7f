// The generators of a workload file. Each kind checks its own arguments.
#include "loadgen/workload/generators.h"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <tuple>

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kProductsMax = 1000;
constexpr std::int64_t kIntegerMax = 1'000'000'000'000'000;

using Kind = Generator::Kind;
const std::map<std::string, Kind> kKinds{
    {"text", Kind::literal},
    {"choice", Kind::choice},
    {"int", Kind::integer},
    {"money", Kind::money},
    {"exponential", Kind::exponential},
    {"uuid", Kind::uuid},
    {"product_id", Kind::product_id},
    {"product_ids", Kind::product_ids},
    {"barcode", Kind::barcode},
    {"category", Kind::category},
    {"search_pattern", Kind::search_pattern},
    {"customer_phone", Kind::customer_phone},
    {"customer_name", Kind::customer_name},
    {"user_id", Kind::user_id},
    {"sale_id", Kind::sale_id},
    {"debt_id", Kind::debt_id},
    {"mpesa_code", Kind::mpesa_code},
    {"days_ago", Kind::days_ago},
};

std::pair<YamlValue, YamlValue> pair_of(const YamlValue& value) {
  if (!value.is_list() || value.as_list().size() != 2) {
    throw value.error("expected a pair [low, high]");
  }
  auto list = value.as_list();
  return {list[0], list[1]};
}

void in_order(const YamlValue& value, std::int64_t low, std::int64_t high) {
  if (low > high) throw value.error("the low end is above the high end");
}

/// The one argument of a kind that has one.
double share_of(const YamlValue& value, const char* name, double min, double max,
                double otherwise) {
  auto map = value.as_map();
  const auto found = map.find(name);
  map.done();
  return found ? found->as_number(min, max) : otherwise;
}

void read_product_ids(Generator& out, const YamlValue& value, double skew) {
  auto map = value.as_map();
  const auto own_skew = map.find("skew");
  const auto mean = map.find("mean");
  const auto count = map.find("count");
  map.done();
  out.skew = own_skew ? own_skew->as_number(0.01, 10) : skew;
  if (!count) {
    out.share = mean ? mean->as_number(1, 50) : 10;
    return;
  }
  if (mean) throw value.error("give either mean or count");
  std::tie(out.low, out.high) = read_range(*count, 1, kProductsMax);
}

void read_choices(Generator& out, const YamlValue& value) {
  if (value.is_list()) {
    for (const auto& each : value.as_list()) {
      out.texts.push_back(each.as_any_text());
      out.weights.push_back(1);
    }
  } else if (value.is_map()) {
    for (const auto& [text, weight] : value.as_map().entries()) {
      out.texts.push_back(text);
      out.weights.push_back(weight.as_number(1e-6, 1e6));
    }
  }
  if (out.texts.empty()) throw value.error("choice needs a list, or a map of texts to weights");
}

void read_money(Generator& out, const YamlValue& value) {
  const auto [low, high] = pair_of(value);
  out.low = std::llround(low.as_number(0, 1e8) * 100);
  out.high = std::llround(high.as_number(0, 1e8) * 100);
  in_order(value, out.low, out.high);
}

void read_arguments(Generator& out, const YamlValue& value, double skew) {
  switch (out.kind) {
    case Kind::literal:
      out.texts = {value.as_any_text()};
      return;
    case Kind::choice:
      return read_choices(out, value);
    case Kind::integer:
    case Kind::days_ago:
      std::tie(out.low, out.high) = read_range(value, -kIntegerMax, kIntegerMax);
      return;
    case Kind::money:
      return read_money(out, value);
    case Kind::product_ids:
      return read_product_ids(out, value, skew);
    case Kind::exponential:
      out.share = value.as_number(1e-9, 1e9);
      return;
    case Kind::product_id:
    case Kind::barcode:
    case Kind::customer_phone:
      out.skew = share_of(value, "skew", 0.01, 10, skew);
      return;
    case Kind::search_pattern:
      out.share = share_of(value, "misses", 0, 1, 0.1);
      return;
    case Kind::sale_id:
    case Kind::debt_id:
      out.share = share_of(value, "recent", 0.0001, 1, 0.1);
      return;
    default:
      value.as_map().done();
  }
}

}  // namespace

std::pair<std::int64_t, std::int64_t> read_range(const YamlValue& value, std::int64_t min,
                                                 std::int64_t max) {
  const auto [low, high] = pair_of(value);
  const std::pair out(low.as_integer(min, max), high.as_integer(min, max));
  in_order(value, out.first, out.second);
  return out;
}

ReadGenerator read_generator(const YamlValue& value, double skew) {
  ReadGenerator out;
  if (value.is_scalar()) {
    out.generator.texts = {value.as_any_text()};
    return out;
  }
  if (!value.is_map()) throw value.error("expected a generator, such as {int: [1, 5]}");
  auto map = value.as_map();
  std::optional<YamlValue> arguments;
  for (const auto& [name, given] : map.entries()) {
    if (name == "when") {
      out.when.emplace(given);
      continue;
    }
    const auto kind = kKinds.find(name);
    if (kind == kKinds.end()) {
      std::vector<std::string> known;
      for (const auto& [each, unused] : kKinds) known.push_back(each);
      throw map.key(name).error(
          fmt::format("unknown generator \"{}\" (known: {})", name, fmt::join(known, ", ")));
    }
    if (arguments) throw map.key(name).error("give only one generator");
    out.generator.kind = kind->second;
    arguments.emplace(given);
  }
  if (!arguments) throw value.error("a generator is missing here");
  read_arguments(out.generator, *arguments, skew);
  return out;
}

}  // namespace pantryd::loadgen
