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
  if (keys.products) out.queries.emplace_back(rows::kProducts);
  if (keys.sales) out.queries.emplace_back(rows::kSales);
  return out;
}

/// What the counts show together.
struct Seen {
  bool few = false;
  bool unreadable = false;
};

void add_count(const Evidence& evidence, const char* query, const char* what, std::int64_t wanted,
               Seen& seen, Judgement& out) {
  std::string problem;
  const auto count = rows::count(evidence, query, problem);
  if (!count) {
    seen.unreadable = true;
    out.evidence.push_back(fmt::format("could not count the {}: {}", what, problem));
    return;
  }
  seen.few = seen.few || *count < wanted;
  out.measured +=
      fmt::format("{}{} {}", out.measured.empty() ? "" : ", ", format_count(*count), what);
  out.evidence.push_back(
      fmt::format("{} {}, claimed are {}", format_count(*count), what, format_count(wanted)));
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  Seen seen;
  if (keys.products) add_count(evidence, rows::kProducts, "products", *keys.products, seen, out);
  if (keys.sales) add_count(evidence, rows::kSales, "sales", *keys.sales, seen, out);
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
