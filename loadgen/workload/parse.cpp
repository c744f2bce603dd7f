// Compiles a workload file. Every value that is read is checked; every error carries its position.
#include <fmt/format.h>

#include "base/yaml.h"
#include "loadgen/dataset/zipf.h"
#include "loadgen/workload/operation_parser.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kOperationsMax = 200;
constexpr std::size_t kInvariantsMax = 50;
constexpr const char* kFormHint =
    "pantryd's own workload, config/workloads/grocery.yaml, shows the form.";

/// Not empty, and not longer than `max`.
std::vector<YamlValue> list_of(const YamlValue& value, const char* what, std::size_t max) {
  if (!value.is_list() || value.as_list().empty()) {
    throw value.error(fmt::format("{} must be a list, not empty", what));
  }
  auto list = value.as_list();
  if (list.size() > max) throw value.error(fmt::format("too many {}: {} at most", what, max));
  return list;
}

UserHabits read_session(const YamlValue& value, UserHabits habits) {
  auto map = value.as_map();
  habits.operations = map.require("operations").as_number(1, 1e6);
  habits.pause = map.require("pause").as_duration();
  map.done();
  return habits;
}

RateLine read_rate_line(const YamlValue& value) {
  auto map = value.as_map();
  RateLine line;
  line.length = map.require("for").as_duration();
  if (const auto rate = map.find("rate")) {
    if (map.find("from") || map.find("to")) throw value.error("give either rate, or from and to");
    line.from_per_s = line.to_per_s = rate->as_number(0, kRateMaxPerS);
  } else {
    line.from_per_s = map.require("from").as_number(0, kRateMaxPerS);
    line.to_per_s = map.require("to").as_number(0, kRateMaxPerS);
  }
  map.done();
  return line;
}

RatePlan read_load(const YamlValue& value) {
  RatePlan plan;
  for (const auto& each : list_of(value, "load", kRateLinesMax)) {
    plan.lines.push_back(read_rate_line(each));
  }
  if (plan.arrivals() <= 0) throw value.error("the rate is 0 during the whole load");
  return plan;
}

std::vector<Invariant> read_invariants(const YamlValue& value) {
  std::vector<Invariant> out;
  for (const auto& each : list_of(value, "invariant", kInvariantsMax)) {
    auto map = each.as_map();
    Invariant invariant;
    const auto name = map.require("name");
    invariant.name = name.as_text();
    for (const auto& other : out) {
      if (other.name == invariant.name) throw name.error("another invariant has this name");
    }
    const auto sql = map.require("sql");
    invariant.sql = one_line(sql.as_text());
    invariant.place = sql.place();
    if (const auto found = map.find("limit")) invariant.limit = found->as_duration();
    map.done();
    out.push_back(std::move(invariant));
  }
  return out;
}

Workload read_workload(const YamlValue& document, const std::string& source) {
  auto map = document.as_map();
  const auto version = map.require("version");
  if (version.as_text() != "1") throw version.error("version must be 1");
  Workload out;
  out.name = map.require("name").as_text();
  out.source = source;
  (void)map.find("description");
  const auto skew = map.find("skew");
  if (const auto found = map.find("think")) out.users.think = found->as_duration();
  if (const auto found = map.find("session")) out.users = read_session(*found, out.users);
  if (const auto found = map.find("load")) out.load = read_load(*found);
  if (const auto found = map.find("invariant")) out.invariants = read_invariants(*found);
  const auto retries = map.find("retries");
  const auto operations = map.require("operations");
  const auto list = list_of(operations, "operations", kOperationsMax);
  map.done();
  const OperationDefaults defaults{
      .skew = skew ? skew->as_number(0.01, 10) : kGrocerySkew,
      .retries = retries ? read_retries(*retries, RetryPolicy()) : RetryPolicy()};
  for (const auto& each : list) parse_operation(each, defaults, out);
  double sum = 0;
  for (const auto& each : out.operations) sum += each.weight;
  if (sum <= 0) throw operations.error("the weights of the operations are all 0");
  return out;
}

}  // namespace

Workload parse_workload(const std::string& text, const std::string& source) {
  try {
    return read_workload(YamlValue::parse(text, source), source);
  } catch (const Error& error) {
    if (!error.hint().empty()) throw;
    throw Error(error.code(), error.what(), kFormHint);
  }
}

}  // namespace pantryd::loadgen
