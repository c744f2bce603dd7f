// Invariants: names_ has the names that a step may use where the parser is; the variables of a
// repeat are one range, because all of them are read while the repeat is.
#include "loadgen/workload/operation_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "loadgen/workload/batches.h"
#include "loadgen/workload/generators.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kStepsMax = 100;
constexpr std::int64_t kRepetitionsMax = 1'000;
constexpr std::int64_t kStatementsMax = 10'000;  // of one operation, repetitions counted
constexpr std::int64_t kRowsMax = 1'000'000'000;
constexpr std::int64_t kRetriesMax = 100;
constexpr auto kPauseMax = std::chrono::minutes(1);
constexpr const char* kConditions =
    "There are two: $name (it holds a value) and $name = text. For another one let the server "
    "compare, and capture what it says: SELECT $1::int <> 5 AS other, then when: $other = t.";

/// Not empty, and not too long.
std::vector<YamlValue> steps_of(const YamlValue& value) {
  if (!value.is_list() || value.as_list().empty()) {
    throw value.error("steps must be a list, not empty");
  }
  return value.as_list();
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

/// N, or {from, to, as}; and the name of its number, where it has one.
std::pair<Repeat, std::optional<YamlValue>> read_repeat(const YamlValue& value) {
  Repeat out;
  if (value.is_scalar()) {
    out.least = out.most = value.as_integer(1, kRepetitionsMax);
    return {out, std::nullopt};
  }
  if (!value.is_map()) throw value.error("repeat is a number, or {from: 5, to: 15}");
  auto map = value.as_map();
  out.least = map.require("from").as_integer(0, kRepetitionsMax);
  out.most = map.require("to").as_integer(1, kRepetitionsMax);
  auto number = map.find("as");
  map.done();
  if (out.least > out.most) throw value.error("from is above to");
  return {out, std::move(number)};
}

class OperationParser {
 public:
  OperationParser(Workload& workload, const OperationDefaults& defaults)
      : workload_(workload), defaults_(defaults) {}

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
    operation_.retries = defaults_.retries;
    if (const auto found = map.find("retries")) {
      operation_.retries = read_retries(*found, defaults_.retries);
    }
    if (const auto found = map.find("let")) let(found->as_map());
    const auto given = map.require("steps");
    const auto steps = steps_of(given);
    map.done();
    note_captures(steps);
    if (operation_.transaction) add_step({.sql = "BEGIN"});
    for (const auto& each : steps) step_or_group(each);
    if (operation_.transaction) add_step({.sql = "COMMIT"});
    check_limits(given);
    mark_batches(operation_);
    workload_.operations.push_back(std::move(operation_));
  }

 private:
  struct Name {
    VariableId id = -1;
    std::string place;  ///< where it is defined
  };

  void slo(const YamlValue& value) {
    auto map = value.as_map();
    operation_.slo_p99 = map.require("p99").as_duration();
    map.done();
  }

  void let(YamlMap map) {
    for (const auto& [name, value] : map.entries()) define(map.key(name), name, generator(value));
  }

  VariableId define(const YamlValue& where, const std::string& name,
                    std::optional<Generator> made) {
    if (const auto found = names_.find(name); found != names_.end()) {
      const bool captured = !made && !operation_.variables[index(found->second.id)].generator;
      throw where.error(fmt::format("\"{}\" is {} twice", name, captured ? "captured" : "defined"),
                        fmt::format("The first place is {}.", found->second.place));
    }
    const auto id = add_variable({name, std::move(made)});
    names_[name] = {id, where.place()};
    return id;
  }

  static std::size_t index(VariableId id) { return static_cast<std::size_t>(id); }

  VariableId add_variable(Variable variable) {
    operation_.variables.push_back(std::move(variable));
    return static_cast<VariableId>(operation_.variables.size()) - 1;
  }

  /// The places of all captures, so that a use before them can name the place.
  void note_captures(const std::vector<YamlValue>& steps) {
    for (const auto& each : steps) {
      if (!each.is_map()) continue;
      auto map = each.as_map();
      if (const auto inner = map.find("steps"); inner && inner->is_list()) {
        note_captures(inner->as_list());
      }
      const auto found = map.find("capture");
      if (!found || !found->is_map()) continue;
      auto captures = found->as_map();
      for (const auto& [name, column] : captures.entries()) {
        captured_at_.emplace(name, captures.key(name).place());
      }
    }
  }

  [[nodiscard]] VariableId lookup(const YamlValue& where, const std::string& name) const {
    if (const auto found = names_.find(name); found != names_.end()) return found->second.id;
    if (const auto over = gone_.find(name); over != gone_.end()) {
      throw where.error(fmt::format("${} is known only inside of its repeat", name),
                        fmt::format("It is defined at {}.", over->second));
    }
    if (const auto later = captured_at_.find(name); later != captured_at_.end()) {
      throw where.error(
          fmt::format("${} is used before it is captured", name),
          fmt::format("Move the step with the capture at {} before this one.", later->second));
    }
    throw where.error(fmt::format("${} is neither under let nor captured before", name));
  }

  [[nodiscard]] Condition condition(const YamlValue& value) const {
    const auto text = value.as_text();
    if (text.size() < 2 || text[0] != '$') {
      throw value.error("expected a condition: $name, or $name = text", kConditions);
    }
    const auto end = std::min(text.find_first_of(" =!<>~"), text.size());
    const auto rest = text.substr(end);
    if (!rest.empty() && !rest.starts_with(" = ")) {
      throw value.error(
          fmt::format("\"{}\" is not a condition that exists: $name, or $name = text", text),
          kConditions);
    }
    Condition out{lookup(value, text.substr(1, end - 1)), {}};
    if (!rest.empty()) out.equals = rest.substr(3);
    return out;
  }

  [[nodiscard]] Generator generator(const YamlValue& value) const {
    auto read = read_generator(value, defaults_.skew);
    if (!read.when) return std::move(read.generator);
    read.generator.when = condition(*read.when);
    if (!operation_.variables[index(read.generator.when->variable)].generator) {
      throw read.when->error("values are drawn before the first step: name one that is under let");
    }
    return std::move(read.generator);
  }

  void step_or_group(const YamlValue& value) {
    auto map = value.as_map();
    const auto repeat = map.find("repeat");
    const auto inner = map.find("steps");
    if (!repeat) {
      if (inner) throw map.key("steps").error("steps inside of steps need a repeat");
      return step(std::move(map));
    }
    auto [range, number] = read_repeat(*repeat);
    const auto outside = names_;
    range.from = static_cast<VariableId>(operation_.variables.size());
    range.first = operation_.steps.size();
    if (number) range.number = define(*number, number->as_text(), std::nullopt);
    if (inner) {
      if (const auto found = map.find("let")) let(found->as_map());
      map.done();
      for (const auto& each : steps_of(*inner)) {
        auto own = each.as_map();
        if (own.find("repeat")) throw own.key("repeat").error("a repeat inside of a repeat");
        step(std::move(own));
      }
    } else {
      step(std::move(map));
    }
    range.end = operation_.steps.size();
    range.to = static_cast<VariableId>(operation_.variables.size());
    for (auto i = range.first; i < range.end; ++i) {
      range.captures = range.captures || !operation_.steps[i].captures.empty();
    }
    operation_.repeats.push_back(range);
    for (const auto& [name, known] : names_) {
      if (!outside.contains(name)) gone_.emplace(name, known.place);
    }
    names_ = outside;
  }

  void step(YamlMap map) {
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
        const auto id = define(captures.key(name), name, std::nullopt);
        out.captures.push_back({id, column.as_text(), column.place()});
      }
    }
    if (const auto found = map.find("expect_rows")) expect_rows(*found, out);
    map.done();
    out.number = ++steps_;
    add_step(std::move(out), sql.line());
  }

  static void expect_rows(const YamlValue& value, Step& out) {
    out.expect_place = value.place();
    if (value.is_scalar()) {
      const auto count = value.as_integer(0, kRowsMax);
      out.expect_rows = {count, count};
    } else {
      out.expect_rows = read_range(value, 0, kRowsMax);
    }
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
    step.kind = statement_kind(step.sql);
    operation_.steps.push_back(std::move(step));
  }

  void check_limits(const YamlValue& steps) const {
    if (static_cast<std::size_t>(steps_) > kStepsMax) {
      throw steps.error(fmt::format("too many steps: {} at most", kStepsMax));
    }
    std::int64_t statements = steps_;
    for (const auto& each : operation_.repeats) {
      statements += static_cast<std::int64_t>(each.end - each.first) * (each.most - 1);
    }
    if (statements > kStatementsMax) {
      throw steps.error(fmt::format("the operation may send {} statements: {} at most", statements,
                                    kStatementsMax));
    }
  }

  Workload& workload_;
  const OperationDefaults& defaults_;
  Operation operation_;
  int steps_ = 0;  ///< of the file, so far
  std::map<std::string, Name> names_;
  std::map<std::string, std::string> captured_at_;  ///< by name, in the whole operation
  std::map<std::string, std::string> gone_;         ///< names of repeats that are over
};

}  // namespace

RetryPolicy read_retries(const YamlValue& value, RetryPolicy otherwise) {
  if (value.is_scalar()) {
    otherwise.most = static_cast<int>(value.as_integer(0, kRetriesMax));
    return otherwise;
  }
  auto map = value.as_map();
  if (const auto found = map.find("most")) {
    otherwise.most = static_cast<int>(found->as_integer(0, kRetriesMax));
  }
  if (const auto found = map.find("pause")) otherwise.pause = found->as_duration();
  if (const auto found = map.find("pause_max")) otherwise.pause_max = found->as_duration();
  map.done();
  if (otherwise.pause > otherwise.pause_max) throw value.error("pause is above pause_max");
  if (otherwise.pause_max > kPauseMax) throw value.error("pause_max must be 1m at most");
  return otherwise;
}

void parse_operation(const YamlValue& value, const OperationDefaults& defaults,
                     Workload& workload) {
  OperationParser(workload, defaults).parse(value);
}

}  // namespace pantryd::loadgen
