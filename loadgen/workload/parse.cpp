// No state beyond one parse. Every node that is read is checked; every error carries its position.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.h"
#include "base/units.h"
#include "loadgen/dataset/zipf.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kOperationsMax = 200;
constexpr std::size_t kStepsMax = 100;
constexpr std::int64_t kProductsMax = 1000;
constexpr const char* kFormHint =
    "pantryd's own workload, config/workloads/grocery.yaml, shows the form.";

using Kind = Generator::Kind;
const std::map<std::string, Kind> kGenerators{
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

class Parser {
 public:
  explicit Parser(std::string source) : source_(std::move(source)) {}

  Workload parse(const std::string& text) {
    YAML::Node root;
    try {
      root = YAML::Load(text);
    } catch (const YAML::Exception& error) {
      fail(error.mark, error.msg);
    }
    need_map(root,
             {"version", "name", "description", "skew", "think", "session", "load", "operations"},
             "the workload");
    if (scalar(required(root, "version")) != "1") fail(root["version"], "version must be 1");
    workload_.name = scalar(required(root, "name"));
    workload_.source = source_;
    if (root["skew"]) skew_ = number(root["skew"], 0.01, 10);
    const auto list = required(root, "operations");
    if (!list.IsSequence() || list.size() == 0) fail(list, "operations must be a list, not empty");
    if (list.size() > kOperationsMax) fail(list, "too many operations");
    if (root["think"]) workload_.users.think = duration(root["think"]);
    if (root["session"]) session(root["session"]);
    if (root["load"]) load(root["load"]);
    for (const auto& node : list) operation(node);
    double sum = 0;
    for (const auto& each : workload_.operations) sum += each.weight;
    if (sum <= 0) fail(list, "the weights of the operations sum to nothing");
    return std::move(workload_);
  }

 private:
  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    throw Error(ExitCode::usage,
                fmt::format("{}:{}:{}: {}", source_, mark.line + 1, mark.column + 1, what),
                kFormHint);
  }
  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
    fail(node.Mark(), what);
  }

  void need_map(const YAML::Node& node, std::initializer_list<const char*> keys,
                const std::string& what) const {
    if (!node.IsMap()) fail(node, what + " must be a map");
    for (const auto& entry : node) {
      const auto key = scalar(entry.first);
      if (std::none_of(keys.begin(), keys.end(), [&](const char* each) { return key == each; })) {
        fail(entry.first, fmt::format("unknown key \"{}\" (known: {})", key,
                                      fmt::join(keys.begin(), keys.end(), ", ")));
      }
    }
  }

  YAML::Node required(const YAML::Node& map, const char* key) const {
    const auto node = map[key];
    if (!node) fail(map, fmt::format("the key \"{}\" is missing", key));
    return node;
  }

  std::string scalar(const YAML::Node& node) const {
    if (!node.IsScalar()) fail(node, "a plain value is wanted here");
    return node.Scalar();
  }

  double number(const YAML::Node& node, double low, double high) const {
    try {
      const auto value = node.as<double>();
      if (std::isfinite(value) && value >= low && value <= high) return value;
    } catch (const YAML::Exception&) {
    }
    fail(node, fmt::format("a number from {} to {} is wanted here", low, high));
  }

  std::int64_t integer(const YAML::Node& node) const {
    try {
      return node.as<std::int64_t>();
    } catch (const YAML::Exception&) {
      fail(node, "a whole number is wanted here");
    }
  }

  std::pair<YAML::Node, YAML::Node> pair(const YAML::Node& node) const {
    if (!node.IsSequence() || node.size() != 2) fail(node, "a pair [low, high] is wanted here");
    return {node[0], node[1]};
  }

  std::chrono::milliseconds duration(const YAML::Node& node) const {
    const auto value = parse_duration(scalar(node));
    if (!value || value->count() <= 0) {
      fail(node, "a duration with its unit is wanted here, such as 50ms");
    }
    return *value;
  }

  void session(const YAML::Node& node) {
    need_map(node, {"operations", "pause"}, "session");
    workload_.users.operations = number(required(node, "operations"), 1, 1e6);
    workload_.users.pause = duration(required(node, "pause"));
  }

  void load(const YAML::Node& node) {
    if (!node.IsSequence() || node.size() == 0) fail(node, "load must be a list, not empty");
    if (node.size() > kRateLinesMax) fail(node, "too many lines of load");
    for (const auto& each : node) {
      need_map(each, {"for", "rate", "from", "to"}, "a line of load");
      RateLine line;
      line.length = duration(required(each, "for"));
      if (each["rate"]) {
        if (each["from"] || each["to"]) fail(each, "either rate, or from and to");
        line.from_per_s = line.to_per_s = number(each["rate"], 0, kRateMaxPerS);
      } else {
        line.from_per_s = number(required(each, "from"), 0, kRateMaxPerS);
        line.to_per_s = number(required(each, "to"), 0, kRateMaxPerS);
      }
      workload_.load.lines.push_back(line);
    }
    if (workload_.load.arrivals() <= 0) fail(node, "the rate is 0 all the time");
  }

  void operation(const YAML::Node& node) {
    need_map(node, {"name", "weight", "slo", "transaction", "refusals", "let", "steps"},
             "an operation");
    operation_ = {};
    names_.clear();
    operation_.name = scalar(required(node, "name"));
    for (const auto& other : workload_.operations) {
      if (other.name == operation_.name) fail(node["name"], "this name is taken");
    }
    operation_.weight = number(required(node, "weight"), 0, 1e6);
    if (node["slo"]) slo(node["slo"]);
    if (node["transaction"]) operation_.transaction = boolean(node["transaction"]);
    if (node["refusals"]) refusals(node["refusals"]);
    if (node["let"]) {
      if (!node["let"].IsMap()) fail(node["let"], "let must be a map of names to generators");
      for (const auto& entry : node["let"]) let(entry.first, entry.second);
    }
    const auto steps = required(node, "steps");
    if (!steps.IsSequence() || steps.size() == 0) fail(steps, "steps must be a list, not empty");
    if (steps.size() > kStepsMax) fail(steps, "too many steps");
    if (operation_.transaction) add_step({.sql = "BEGIN"});
    for (const auto& each : steps) step(each);
    if (operation_.transaction) add_step({.sql = "COMMIT"});
    mark_batches();
    workload_.operations.push_back(std::move(operation_));
  }

  bool boolean(const YAML::Node& node) const {
    const auto text = scalar(node);
    if (text != "true" && text != "false") fail(node, "true or false is wanted here");
    return text == "true";
  }

  void refusals(const YAML::Node& node) {
    if (!node.IsSequence()) fail(node, "refusals must be a list of SQLSTATEs");
    for (const auto& each : node) {
      const auto code = scalar(each);
      const bool letters_and_digits = std::all_of(code.begin(), code.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
      });
      if (code.size() != 5 || !letters_and_digits) {
        fail(each, fmt::format("\"{}\" is no SQLSTATE: five digits and capitals", code));
      }
      operation_.refusals.push_back(code);
    }
  }

  void slo(const YAML::Node& node) {
    need_map(node, {"p99"}, "slo");
    operation_.slo_p99 = duration(required(node, "p99"));
  }

  void let(const YAML::Node& key, const YAML::Node& value) {
    const auto name = scalar(key);
    if (names_.contains(name)) fail(key, fmt::format("\"{}\" is defined twice", name));
    auto made = generator(value);
    names_[name] = add_variable({name, std::move(made)});
  }

  VariableId add_variable(Variable variable) {
    operation_.variables.push_back(std::move(variable));
    return static_cast<VariableId>(operation_.variables.size()) - 1;
  }

  VariableId lookup(const YAML::Node& node, const std::string& name) const {
    const auto found = names_.find(name);
    if (found == names_.end()) {
      fail(node, fmt::format("${} is neither under let nor captured before", name));
    }
    return found->second;
  }

  Condition condition(const YAML::Node& node) const {
    const auto text = scalar(node);
    const auto equals = text.find(" = ");
    const auto name = text.substr(0, equals);
    if (name.size() < 2 || name[0] != '$') {
      fail(node, "a condition is wanted here: $name, or $name = text");
    }
    Condition out{lookup(node, name.substr(1)), {}};
    if (equals != std::string::npos) out.equals = text.substr(equals + 3);
    return out;
  }

  Generator generator(const YAML::Node& node) const {
    Generator out;
    if (node.IsScalar()) {
      out.texts = {node.Scalar()};
      return out;
    }
    if (!node.IsMap()) fail(node, "a generator is wanted here, such as {int: [1, 5]}");
    std::optional<std::string> kind;
    for (const auto& entry : node) {
      const auto key = scalar(entry.first);
      if (key == "when") continue;
      if (!kGenerators.contains(key)) {
        std::vector<std::string> known;
        for (const auto& [name, unused] : kGenerators) known.push_back(name);
        fail(entry.first,
             fmt::format("unknown generator \"{}\" (known: {})", key, fmt::join(known, ", ")));
      }
      if (kind) fail(entry.first, "only one generator may stand here");
      kind = key;
    }
    if (!kind) fail(node, "a generator is missing here");
    out.kind = kGenerators.at(*kind);
    arguments(out, node[*kind]);
    if (node["when"]) {
      out.when = condition(node["when"]);
      if (!operation_.variables[index(out.when->variable)].generator) {
        fail(node["when"], "values are drawn before the first step: name one of let here");
      }
    }
    return out;
  }

  void arguments(Generator& out, const YAML::Node& node) const {
    switch (out.kind) {
      case Kind::literal:
        out.texts = {scalar(node)};
        return;
      case Kind::choice:
        return choices(out, node);
      case Kind::integer:
      case Kind::days_ago: {
        const auto [low, high] = pair(node);
        out.low = integer(low);
        out.high = integer(high);
        break;
      }
      case Kind::money: {
        const auto [low, high] = pair(node);
        out.low = std::llround(number(low, 0, 1e8) * 100);
        out.high = std::llround(number(high, 0, 1e8) * 100);
        break;
      }
      case Kind::product_ids:
        product_ids(out, node);
        return;
      case Kind::exponential:
        out.share = number(node, 1e-9, 1e9);
        return;
      case Kind::product_id:
      case Kind::barcode:
      case Kind::customer_phone:
        need_map(node, {"skew"}, "the generator");
        out.skew = node["skew"] ? number(node["skew"], 0.01, 10) : skew_;
        return;
      case Kind::search_pattern:
        need_map(node, {"misses"}, "the generator");
        out.share = node["misses"] ? number(node["misses"], 0, 1) : 0.1;
        return;
      case Kind::sale_id:
      case Kind::debt_id:
        need_map(node, {"recent"}, "the generator");
        out.share = node["recent"] ? number(node["recent"], 0.0001, 1) : 0.1;
        return;
      default:
        need_map(node, {}, "the generator");
        return;
    }
    if (out.low > out.high) fail(node, "the low end is above the high end");
  }

  void product_ids(Generator& out, const YAML::Node& node) const {
    need_map(node, {"skew", "mean", "count"}, "the generator");
    out.skew = node["skew"] ? number(node["skew"], 0.01, 10) : skew_;
    if (node["count"]) {
      if (node["mean"]) fail(node, "either mean or count");
      const auto [low, high] = pair(node["count"]);
      out.low = integer(low);
      out.high = integer(high);
      if (out.low < 1 || out.high < out.low || out.high > kProductsMax) {
        fail(node["count"], fmt::format("a count is from 1 to {}", kProductsMax));
      }
    } else {
      out.share = node["mean"] ? number(node["mean"], 1, 50) : 10;
    }
  }

  void choices(Generator& out, const YAML::Node& node) const {
    if (node.IsSequence()) {
      for (const auto& each : node) {
        out.texts.push_back(scalar(each));
        out.weights.push_back(1);
      }
    } else if (node.IsMap()) {
      for (const auto& entry : node) {
        out.texts.push_back(scalar(entry.first));
        out.weights.push_back(number(entry.second, 1e-6, 1e6));
      }
    }
    if (out.texts.empty()) fail(node, "choice wants a list, or a map of texts to weights");
  }

  void step(const YAML::Node& node) {
    need_map(node, {"sql", "params", "capture", "expect_rows", "when"}, "a step");
    Step out;
    const auto sql = required(node, "sql");
    out.sql = one_line(scalar(sql));
    if (out.sql.empty()) fail(sql, "the statement is empty");
    if (node["when"]) out.when = condition(node["when"]);
    if (node["params"]) {
      if (!node["params"].IsSequence()) fail(node["params"], "params must be a list");
      for (const auto& each : node["params"]) out.params.push_back(param(each));
    }
    check_placeholders(sql, out);
    if (node["capture"]) {
      if (!node["capture"].IsMap()) fail(node["capture"], "capture must be a map: name to column");
      for (const auto& entry : node["capture"]) {
        const auto name = scalar(entry.first);
        if (names_.contains(name)) fail(entry.first, fmt::format("\"{}\" is defined twice", name));
        names_[name] = add_variable({name, std::nullopt});
        out.captures.push_back({names_[name], scalar(entry.second)});
      }
    }
    if (node["expect_rows"]) expect(node["expect_rows"], out);
    add_step(std::move(out), sql.Mark().line + 1);
  }

  VariableId param(const YAML::Node& node) {
    if (node.IsScalar() && node.Scalar().size() > 1 && node.Scalar()[0] == '$') {
      return lookup(node, node.Scalar().substr(1));
    }
    return add_variable({"", generator(node)});
  }

  void check_placeholders(const YAML::Node& node, const Step& step) const {
    std::size_t highest = 0;
    for (std::size_t i = 0; i + 1 < step.sql.size(); ++i) {
      if (step.sql[i] != '$' || step.sql[i + 1] < '0' || step.sql[i + 1] > '9') continue;
      highest = std::max<std::size_t>(
          highest, static_cast<std::size_t>(std::atoi(step.sql.c_str() + i + 1)));
    }
    if (highest != step.params.size()) {
      fail(node, fmt::format("the statement has {} placeholders but {} params are given", highest,
                             step.params.size()));
    }
  }

  void expect(const YAML::Node& node, Step& step) const {
    if (node.IsSequence()) {
      const auto [low, high] = pair(node);
      step.expect_rows = {integer(low), integer(high)};
    } else {
      step.expect_rows = {integer(node), integer(node)};
    }
    if (step.expect_rows->first < 0 || step.expect_rows->first > step.expect_rows->second) {
      fail(node, "expect_rows is a count, or [low, high]");
    }
  }

  void add_step(Step step, int line = 0) {
    auto& texts = workload_.statements;
    auto found = std::find(texts.begin(), texts.end(), step.sql);
    if (found == texts.end()) {
      found = texts.insert(texts.end(), step.sql);
      workload_.statement_lines.push_back(line);
    }
    step.statement = static_cast<int>(found - texts.begin());
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

  static std::size_t index(VariableId id) { return static_cast<std::size_t>(id); }

  std::string source_;
  double skew_ = kGrocerySkew;
  Workload workload_;
  Operation operation_;                      ///< the one being read
  std::map<std::string, VariableId> names_;  ///< of that operation
};

}  // namespace

Workload parse_workload(const std::string& text, const std::string& source) {
  return Parser(source).parse(text);
}

}  // namespace pantryd::loadgen
