// Reads and judges what claims about loads have in common.
#include "validate/load_terms.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "base/units.h"
#include "validate/load_facts.h"
#include "validate/rows.h"

namespace pantryd::validate {
namespace {

constexpr std::int64_t kRowsMax = 1'000'000'000'000;
constexpr std::array<std::pair<const char*, double>, 5> kPercentiles{
    {{"p50", 0.5}, {"p90", 0.9}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}}};

Scale parse_scale(const YamlValue& value) {
  auto map = value.as_map();
  Scale out;
  if (const auto rows = map.find("products")) out.products = rows->as_integer(1, kRowsMax);
  if (const auto rows = map.find("sales")) out.sales = rows->as_integer(1, kRowsMax);
  map.done();
  return out;
}

/// Lowers a PASS; anything else is decided already.
void lower(Reason why, std::string line, Judgement& out) {
  out.evidence.push_back(std::move(line));
  if (out.verdict == Verdict::pass) out.inconclusive(why);
}

struct RowClaim {
  const loadgen::CountedTable& table;
  std::optional<std::int64_t> claimed;
  std::optional<std::int64_t> ledger;
};

void judge_rows(const Evidence& evidence, const RowClaim& rows, Judgement& out) {
  const auto counted = rows::count_of(evidence, rows.table);
  const char* name = rows.table.name;
  if (!counted.number) {
    const auto line = fmt::format("could not count the {}: {}", name, counted.problem);
    if (rows.claimed) {
      lower(Reason::unreadable, line, out);
    } else {
      out.evidence.push_back(line);
    }
    return;
  }
  const auto number = *counted.number;
  const auto text = counted.text();
  if (rows.claimed && number < *rows.claimed) {
    lower(Reason::scale,
          fmt::format("held at {} {}; not shown at {}", text, name, format_count(*rows.claimed)),
          out);
  } else if (counted.estimated) {
    out.evidence.push_back(
        fmt::format("{} {}; counting them failed: {}", text, name, counted.problem));
  } else {
    out.evidence.push_back(fmt::format("{} {} were counted", text, name));
  }
  if (!rows.ledger) return;
  if (static_cast<double>(number) < loadgen::kSeededRowsMin * static_cast<double>(*rows.ledger)) {
    lower(Reason::scale,
          fmt::format("the seed put {} {} there, and {} are left", format_count(*rows.ledger), name,
                      text),
          out);
  } else if (number > *rows.ledger) {
    out.evidence.push_back(fmt::format("{} of the {} were added since the seed",
                                       format_count(number - *rows.ledger), name));
  }
}

}  // namespace

double share_of(const YamlValue& value, double max) {
  auto text = value.as_text();
  double scale = 1;
  if (!text.empty() && text.back() == '%') {
    text.pop_back();
    while (!text.empty() && text.back() == ' ') text.pop_back();
    scale = 0.01;
  }
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  number *= scale;
  if (error != std::errc() || end != text.data() + text.size() || !(number >= 0 && number <= max)) {
    throw value.error(fmt::format("expected a share from 0 to {:g}", max),
                      "Write it as in 30% or 0.3.");
  }
  return number;
}

void parse_users(YamlMap& map, std::int64_t users, LoadNeed& need) {
  need.users = users;
  if (const auto value = map.find("users")) need.users = value->as_integer(1, 100'000);
  need.connections = std::min<std::int64_t>(need.users, 1000);
  const auto connections = map.find("connections");
  if (!connections) return;
  need.connections = connections->as_integer(1, 1000);
  if (need.connections > need.users) {
    throw connections->error(
        fmt::format("{} users cannot keep {} connections busy", need.users, need.connections),
        "Give at least as many users as connections.");
  }
}

LoadTerms parse_terms(YamlMap& map) {
  LoadTerms out;
  if (const auto value = map.find("workload")) {
    out.workload = value->as_text();
    try {
      (void)loadgen::load_workload(out.workload);
    } catch (const Error& error) {
      throw value->error(error.what(), error.hint());
    }
  }
  if (const auto value = map.find("mode")) {
    out.mode = value->as_choice({"faithful", "pipelined"}) == "faithful" ? loadgen::Mode::faithful
                                                                         : loadgen::Mode::pipelined;
  }
  if (const auto value = map.find("duration")) out.duration = value->as_duration();
  if (const auto value = map.find("warmup")) out.warmup = value->as_duration();
  if (const auto value = map.find("repeat")) out.repeat = value->as_integer(1, 20);
  if (const auto value = map.find("errors_max")) out.errors_max = share_of(*value, 1);
  if (const auto value = map.find("refused_max")) out.refused_max = share_of(*value, 1);
  for (const auto& [key, share] : kPercentiles) {
    if (const auto value = map.find(key))
      out.percentiles.push_back({key, share, value->as_duration()});
  }
  if (const auto value = map.find("scale")) out.scale = parse_scale(*value);
  return out;
}

LoadNeed with_terms(LoadNeed need, const LoadTerms& terms, std::int64_t round) {
  need.workload = terms.workload;
  need.mode = terms.mode;
  need.duration = terms.duration;
  need.warmup = terms.warmup;
  need.round = round;
  return need;
}

Needs needs_of_load(const LoadNeed& need, const LoadTerms& terms) {
  Needs out;
  for (std::int64_t round = 0; round < terms.repeat; ++round) {
    out.loads.push_back(with_terms(need, terms, round));
  }
  rows::add_queries(loadgen::kCountedProducts, out);
  rows::add_queries(loadgen::kCountedSales, out);
  return out;
}

std::vector<const loadgen::LoadResult*> results_of(const Evidence& evidence, const LoadNeed& need,
                                                   const LoadTerms& terms, Judgement& out) {
  std::vector<const loadgen::LoadResult*> results;
  for (std::int64_t round = 0; round < terms.repeat; ++round) {
    const auto* result = result_of(evidence, with_terms(need, terms, round), out);
    if (result == nullptr) return {};
    results.push_back(result);
  }
  return results;
}

Judgement worst_of(std::vector<Judgement> rounds) {
  Judgement out = rounds.at(0);
  out.evidence.clear();
  out.numbers.clear();
  for (std::size_t i = 0; i < rounds.size(); ++i) {
    const auto& each = rounds[i];
    if (each.verdict != out.verdict && worst(out.verdict, each.verdict) == each.verdict) {
      out.verdict = each.verdict;
      out.reason = each.reason;
      out.measured = each.measured;
    }
    out.numbers.insert(out.numbers.end(), each.numbers.begin(), each.numbers.end());
    for (const auto& line : each.evidence) {
      out.evidence.push_back(rounds.size() == 1 ? line : fmt::format("run {}: {}", i + 1, line));
    }
  }
  return out;
}

void judge_refused(const loadgen::LoadResult& load, const LoadTerms& terms, Judgement& out) {
  if (load.refused() == 0) return;
  const double share = static_cast<double>(load.refused()) /
                       static_cast<double>(std::max<std::int64_t>(1, load.offered()));
  out.evidence.push_back(
      fmt::format("{:.2f} % of the operations were refused, allowed are {:.2f} %", share * 100,
                  terms.refused_max * 100));
  if (share > terms.refused_max) out.fail();
}

void judge_scale(const Evidence& evidence, const loadgen::LoadResult& load, const LoadTerms& terms,
                 Judgement& out) {
  const auto& ledger = load.dataset;
  if (!ledger && !terms.scale.products && !terms.scale.sales) return;  // it uses no rows of a seed
  judge_rows(evidence,
             {loadgen::kCountedProducts, terms.scale.products,
              ledger ? std::optional(ledger->products) : std::nullopt},
             out);
  judge_rows(evidence,
             {loadgen::kCountedSales, terms.scale.sales,
              ledger ? std::optional(ledger->sales) : std::nullopt},
             out);
}

}  // namespace pantryd::validate
