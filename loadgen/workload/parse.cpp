// Compiles a workload file. Every value that is read is checked; every error carries its position.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/yaml.h"
#include "loadgen/dataset/zipf.h"
#include "loadgen/workload/generators.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kOperationsMax = 200;
constexpr std::size_t kStepsMax = 100;
constexpr std::int64_t kRowsMax = 1'000'000'000;
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

std::vector<std::string> read_refusals(const YamlValue& value) {
  if (!value.is_list()) throw value.error("refusals must be a list of SQLSTATEs");
  std::vector<std::string> out;
  for (const auto& each : value.as_list()) {
    const auto code = each.as_text();
    const bool letters_and_digits = std::all_of(code.begin(), code.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
    });
    if (code.size() != 5 || !letters_and_digits) {
      throw each.error(
          fmt::format("\"{}\" is not an SQLSTATE: five digits or capital letters", code));
    }
    out.push_back(code);
  }
  return out;
}

/// How many parameters a statement takes: the highest N of its $N.
std::size_t placeholders(const std::string& sql) {
  std::size_t highest = 0;
  for (auto at = sql.find('$'); at != std::string::npos; at = sql.find('$', at + 1)) {
    std::size_t number = 0;
    std::from_chars(sql.data() + at + 1, sql.data() + sql.size(), number);
    highest = std::max(highest, number);
  }
  return highest;
}

std::size_t index(VariableId id) {
  return static_cast<std::size_t>(id);
}

class OperationParser {
 public:
  OperationParser(Workload& workload, double skew) : workload_(workload), skew_(skew) {}

  void parse(const YamlValue& value) {
    auto map = value.as_map();
    const auto name = map.require("name");
    operation_.name = name.as_text();
    for (const auto& other : workload_.operations) {
      if (other.name == operation_.name) throw name.error("another operation has this name");
    }
    operation_.weight = map.require("weight").as_number(0, 1e6);
    if (const auto found = map.find("slo")) slo(*found);
    if (const auto found = map.find("transaction")) operation_.transaction = found->as_boolean();
    if (const auto found = map.find("refusals")) operation_.refusals = read_refusals(*found);
    if (const auto found = map.find("let")) let(found->as_map());
    const auto steps = list_of(map.require("steps"), "steps", kStepsMax);
    map.done();
    if (operation_.transaction) add_step({.sql = "BEGIN"});
    for (const auto& each : steps) step(each);
    if (operation_.transaction) add_step({.sql = "COMMIT"});
    mark_batches();
    workload_.operations.push_back(std::move(operation_));
  }

 private:
  void slo(const YamlValue& value) {
    auto map = value.as_map();
    operation_.slo_p99 = map.require("p99").as_duration();
    map.done();
  }

  void let(YamlMap map) {
    for (const auto& [name, value] : map.entries()) define(map.key(name), name, generator(value));
  }

  void define(const YamlValue& where, const std::string& name, std::optional<Generator> made) {
    if (names_.contains(name)) throw where.error(fmt::format("\"{}\" is defined twice", name));
    names_[name] = add_variable({name, std::move(made)});
  }

  VariableId add_variable(Variable variable) {
    operation_.variables.push_back(std::move(variable));
    return static_cast<VariableId>(operation_.variables.size()) - 1;
  }

  [[nodiscard]] VariableId lookup(const YamlValue& where, const std::string& name) const {
    const auto found = names_.find(name);
    if (found == names_.end()) {
      throw where.error(fmt::format("${} is neither under let nor captured before", name));
    }
    return found->second;
  }

  [[nodiscard]] Condition condition(const YamlValue& value) const {
    const auto text = value.as_text();
    const auto equals = text.find(" = ");
    const auto name = text.substr(0, equals);
    if (name.size() < 2 || name[0] != '$') {
      throw value.error("expected a condition: $name, or $name = text");
    }
    Condition out{lookup(value, name.substr(1)), {}};
    if (equals != std::string::npos) out.equals = text.substr(equals + 3);
    return out;
  }

  [[nodiscard]] Generator generator(const YamlValue& value) const {
    auto read = read_generator(value, skew_);
    if (!read.when) return std::move(read.generator);
    read.generator.when = condition(*read.when);
    if (!operation_.variables[index(read.generator.when->variable)].generator) {
      throw read.when->error("values are drawn before the first step: name one that is under let");
    }
    return std::move(read.generator);
  }

  void step(const YamlValue& value) {
    auto map = value.as_map();
    Step out;
    const auto sql = map.require("sql");
    out.sql = one_line(sql.as_text());
    if (out.sql.empty()) throw sql.error("the statement is empty");
    if (const auto found = map.find("when")) out.when = condition(*found);
    if (const auto found = map.find("params")) {
      for (const auto& each : found->as_list()) out.params.push_back(param(each));
    }
    if (const auto wanted = placeholders(out.sql); wanted != out.params.size()) {
      throw sql.error(fmt::format("the statement has {} placeholders but {} params are given",
                                  wanted, out.params.size()));
    }
    if (const auto found = map.find("capture")) {
      auto captures = found->as_map();
      for (const auto& [name, column] : captures.entries()) {
        define(captures.key(name), name, std::nullopt);
        out.captures.push_back({names_[name], column.as_text()});
      }
    }
    if (const auto found = map.find("expect_rows")) {
      if (found->is_scalar()) {
        const auto count = found->as_integer(0, kRowsMax);
        out.expect_rows = {count, count};
      } else {
        out.expect_rows = read_range(*found, 0, kRowsMax);
      }
    }
    map.done();
    add_step(std::move(out), sql.line());
  }

  VariableId param(const YamlValue& value) {
    if (value.is_scalar()) {
      const auto text = value.as_any_text();
      if (text.size() > 1 && text[0] == '$') return lookup(value, text.substr(1));
    }
    return add_variable({"", generator(value)});
  }

  void add_step(Step step, int line = 0) {
    auto& texts = workload_.statements;
    auto found = std::find(texts.begin(), texts.end(), step.sql);
    if (found == texts.end()) {
      found = texts.insert(texts.end(), step.sql);
      workload_.statement_lines.push_back(line);
    }
    step.statement = static_cast<int>(found - texts.begin());
    step.only_frames = step.sql == "BEGIN" || step.sql == "COMMIT";
    operation_.steps.push_back(std::move(step));
  }

  /// A batch ends where a step needs what a step of the same batch captures, and after a step
  /// whose row count decides: what follows must not be sent before that is known.
  void mark_batches() {
    std::vector<bool> pending(operation_.variables.size(), false);
    bool decides = false;
    for (auto& step : operation_.steps) {
      bool needs = decides || (step.when && pending[index(step.when->variable)]);
      for (const auto id : step.params) {
        needs = needs || pending[index(id)];
        const auto& made = operation_.variables[index(id)].generator;
        needs = needs || (made && made->when && pending[index(made->when->variable)]);
      }
      if (needs) {
        step.starts_batch = true;
        std::fill(pending.begin(), pending.end(), false);
      }
      for (const auto& capture : step.captures) pending[index(capture.variable)] = true;
      decides = step.expect_rows.has_value();
    }
  }

  Workload& workload_;
  const double skew_;
  Operation operation_;
  std::map<std::string, VariableId> names_;
};

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
  const auto operations = map.require("operations");
  const auto list = list_of(operations, "operations", kOperationsMax);
  map.done();
  for (const auto& each : list) {
    OperationParser(out, skew ? skew->as_number(0.01, 10) : kGrocerySkew).parse(each);
  }
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
