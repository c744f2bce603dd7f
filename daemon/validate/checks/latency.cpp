// p99 of every operation, in a closed loop of a few users: what an operation costs when nothing
// queues before it.
#include <fmt/format.h>

#include <chrono>

#include "base/units.h"
#include "validate/check.h"
#include "validate/load_facts.h"

namespace pantryd::validate {
namespace {

constexpr std::int64_t kSamplesForP99 = 100;

struct Keys {
  std::chrono::milliseconds limit{1000};
  std::int64_t users = 2;
};

Keys parse(YamlMap& map) {
  Keys out;
  out.limit = map.require("limit").as_duration();
  if (const auto users = map.find("users")) out.users = users->as_integer(1, 1000);
  return out;
}

LoadNeed load_of(const Keys& keys) {
  LoadNeed out;
  out.users = out.connections = keys.users;
  out.raise_rare = true;
  return out;
}

Needs needs(const Keys& keys) {
  return {{load_of(keys)}, {}};
}

/// What the operations of a run show together.
struct Seen {
  std::int64_t worst_us = -1;
  std::string worst;
  bool missed = false;
  bool unseen = false;
};

void add_operation(const loadgen::OperationResult& operation, std::int64_t limit_us, Seen& seen,
                   Judgement& out) {
  const auto& totals = operation.totals;
  const auto& response = totals.response;
  const auto failed = totals.errors + totals.not_started;
  seen.unseen = seen.unseen || response.count() == 0;
  // With few samples the highest of them stands for the percentile.
  const auto tail_us =
      response.count() >= kSamplesForP99 ? response.quantile_us(0.99) : response.max_us();
  seen.missed = seen.missed || tail_us >= limit_us || failed > 0;
  if (tail_us > seen.worst_us) {
    seen.worst_us = tail_us;
    seen.worst = operation.name;
  }
  const auto text = [&](std::int64_t us) {
    return response.count() == 0 ? std::string("-") : latency_text(us);
  };
  out.evidence.push_back(fmt::format(
      "{:<17} p50 {:>9}  p95 {:>9}  p99 {:>9}  max {:>9}  of {}{}", operation.name,
      text(response.quantile_us(0.5)), text(response.quantile_us(0.95)),
      text(response.quantile_us(0.99)), text(response.max_us()), response.count(),
      failed > 0 ? fmt::format(", {} errors, {} not started", totals.errors, totals.not_started)
                 : ""));
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  const auto* load = result_of(evidence, load_of(keys), out);
  if (load == nullptr) return out;
  const auto limit_us = std::chrono::duration_cast<std::chrono::microseconds>(keys.limit).count();
  Seen seen;
  for (const auto& operation : load->operations) add_operation(operation, limit_us, seen, out);
  out.measured = fmt::format("worst p99 {} ({})", latency_text(seen.worst_us), seen.worst);
  if (const auto& data = load->dataset) {
    // A number without the size of the data behind it says nothing of a larger shop.
    out.measured += fmt::format(" at {} products", format_count(data->products));
    out.evidence.push_back(fmt::format("at {} products and {} sales, {} users in a closed loop",
                                       format_count(data->products), format_count(data->sales),
                                       load->options.users));
  }
  if (!seen.missed && !seen.unseen && !load->stopped) {
    out.pass();
  } else if (!excused(*load, out)) {
    if (seen.missed) {
      out.fail();
    } else {
      out.inconclusive(Reason::samples);
    }
  }
  return out;
}

}  // namespace

const Check* latency_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("latency");
  return &check;
}

}  // namespace pantryd::validate
