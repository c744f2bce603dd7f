// The rows that a claim speaks of are in the database, counted on the server and not read from a
// ledger of what was once put there.
#include <fmt/format.h>

#include <optional>

#include "base/units.h"
#include "validate/check.h"
#include "validate/rows.h"

namespace pantryd::validate {
namespace {

constexpr std::int64_t kRowsMax = 1'000'000'000'000;

struct Keys {
  std::optional<std::int64_t> products;
  std::optional<std::int64_t> sales;
};

Keys parse(YamlMap& map) {
  Keys out;
  if (const auto value = map.find("products")) out.products = value->as_integer(1, kRowsMax);
  if (const auto value = map.find("sales")) out.sales = value->as_integer(1, kRowsMax);
  if (!out.products && !out.sales) {
    throw map.value().error("a claim of scale needs products, sales or both",
                            "Write it as in products: 1000000.");
  }
  return out;
}

Needs needs(const Keys& keys) {
  Needs out;
  if (keys.products) rows::add_queries(loadgen::kCountedProducts, out);
  if (keys.sales) rows::add_queries(loadgen::kCountedSales, out);
  return out;
}

/// What the counts show together.
struct Seen {
  bool few = false;
  bool unreadable = false;
};

/// An estimate shows that enough rows are there, and never that too few are.
void add_count(const Evidence& evidence, const loadgen::CountedTable& table, std::int64_t wanted,
               Seen& seen, Judgement& out) {
  const auto count = rows::count_of(evidence, table);
  if (!count.number) {
    seen.unreadable = true;
    out.evidence.push_back(fmt::format("could not count the {}: {}", table.name, count.problem));
    return;
  }
  const bool few = *count.number < wanted;
  seen.few = seen.few || (few && !count.estimated);
  seen.unreadable = seen.unreadable || (few && count.estimated);
  out.measured +=
      fmt::format("{}{} {}", out.measured.empty() ? "" : ", ", count.text(), table.name);
  out.evidence.push_back(
      fmt::format("{} {}, claimed are {}", count.text(), table.name, format_count(wanted)));
  if (count.estimated) out.evidence.push_back("counting them failed: " + count.problem);
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  Seen seen;
  if (keys.products) add_count(evidence, loadgen::kCountedProducts, *keys.products, seen, out);
  if (keys.sales) add_count(evidence, loadgen::kCountedSales, *keys.sales, seen, out);
  if (seen.few) {
    out.fail();
  } else if (seen.unreadable) {
    out.inconclusive(Reason::unreadable);
  } else {
    out.pass();
  }
  return out;
}

}  // namespace

const Check* scale_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("scale");
  return &check;
}

}  // namespace pantryd::validate
