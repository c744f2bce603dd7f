// Reads load results. A file is whole or it is refused: what was cut off has no end.
#include <fmt/format.h>

#include <array>
#include <climits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "loadgen/compare/compare.h"
#include "loadgen/evidence/environment.h"

namespace pantryd::loadgen {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 2;
/// Options that change what is measured. The seed and the length of the run do not.
constexpr std::array kOptions{"workload", "mode",        "loop",    "rate_per_s",
                              "users",    "connections", "threads", "arrivals"};

Json parse_result(const std::string& name, const std::string& text) {
  const auto refuse = [&](const std::string& what, const std::string& hint) {
    throw Error(ExitCode::usage, fmt::format("{}: {}", name, what), hint);
  };
  const std::string hint = "Give result files of `pantryd load run --out`.";
  auto json = Json::parse(text, nullptr, false);
  if (json.is_discarded()) refuse("not a whole JSON document: it may have been cut off", hint);
  const bool named = json.is_object() && json.contains("format") && json["format"].is_string();
  const auto format = named ? json["format"].get<std::string>() : std::string();
  if (format != "pantryd.load") {
    refuse(format.empty() ? "not a load result" : fmt::format("a {}, not a load result", format),
           hint);
  }
  const bool numbered = json.contains("version") && json["version"].is_number_integer();
  const int version = numbered ? json["version"].get<int>() : INT_MAX;
  if (version > kVersion) refuse("written by a newer pantryd", "Compare with that version.");
  if (version < kVersion) {
    refuse(fmt::format("a result of version {}, whose throughput counts what ended after the "
                       "measured time",
                       version),
           "Run the load again with this pantryd.");
  }
  return json;
}

void add(ComparedRun& run, const std::string& operation, const std::string& figure, double value) {
  if (value > 0) run.figures[{operation, figure}] = value;
}

void read_percentiles(ComparedRun& run, const std::string& operation, const Json& json) {
  add(run, operation, "p50_us", json.at("p50").get<double>());
  add(run, operation, "p99_us", json.at("p99").get<double>());
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void compare_values(const std::string& name, const Json& a, const Json& b,
                    std::vector<std::string>& out) {
  if (a != b) out.push_back(fmt::format("{}: {} against {}", name, text_of(a), text_of(b)));
}

Json member(const Json& json, const std::string& name) {
  const auto found = json.find(name);
  return found == json.end() ? Json() : *found;
}

void compare_environments(const Json& a, const Json& b, std::vector<std::string>& out) {
  const auto of_a = member(a, "environment");
  const auto of_b = member(b, "environment");
  if (of_a.is_object() && of_b.is_object()) {
    const auto found = differences(Environment::from_json(of_a), Environment::from_json(of_b));
    out.insert(out.end(), found.begin(), found.end());
    return;
  }
  if (of_a.is_object() != of_b.is_object()) {
    out.push_back(fmt::format("environment: recorded in {} only", of_a.is_object() ? "A" : "B"));
  }
  const auto server_a = member(a, "server");
  const auto server_b = member(b, "server");
  compare_values("server version", member(server_a, "version"), member(server_b, "version"), out);
  const auto settings_a = member(server_a, "settings");
  const auto settings_b = member(server_b, "settings");
  for (const auto& [name, value] : settings_a.items()) {
    compare_values("setting " + name, value, member(settings_b, name), out);
  }
  compare_values("dataset", member(a, "dataset"), member(b, "dataset"), out);
}

}  // namespace

ComparedRun read_run(const std::string& name, const std::string& text) {
  const auto json = parse_result(name, text);
  ComparedRun run;
  run.name = name;
  try {
    run.verdict = json.at("verdict").get<std::string>();
    const double measured_s = json.at("measured_s").get<double>();
    add(run, "", "throughput_per_s", json.at("completed_per_s").get<double>());
    add(run, "", "cpu_us_per_operation",
        json.at("client").at("cpu_us_per_operation").get<double>());
    for (const auto& operation : json.at("operations")) {
      const auto which = operation.at("name").get<std::string>();
      add(run, which, "throughput_per_s", operation.at("completed_per_s").get<double>());
      read_percentiles(run, which, operation.at("response_us"));
    }
    for (const auto& window : json.at("windows")) {
      const auto second = window.at("second").get<std::int64_t>();
      // The last one may be a part of a second, and what comes after it is the drain.
      if (second < 0 || static_cast<double>(second + 1) > measured_s) continue;
      run.seconds.push_back(
          {window.at("completed").get<double>(), window.at("p99_us").get<double>()});
    }
    double sum_us = 0;
    for (const auto& second : run.seconds) sum_us += second.p99_us;
    if (sum_us > 0) {
      add(run, "", "p99_of_seconds_us", sum_us / static_cast<double>(run.seconds.size()));
    }
  } catch (const nlohmann::json::exception&) {
    throw Error(ExitCode::usage, fmt::format("{} is not a result file of `load run`", name),
                "Give result files of `pantryd load run --out`.");
  }
  return run;
}

std::vector<std::string> run_differences(const std::string& a, const std::string& b) {
  const auto json_a = parse_result("A", a);
  const auto json_b = parse_result("B", b);
  std::vector<std::string> out;
  const auto settings_a = member(json_a, "settings");
  const auto settings_b = member(json_b, "settings");
  for (const char* option : kOptions) {
    compare_values(option, member(settings_a, option), member(settings_b, option), out);
  }
  compare_environments(json_a, json_b, out);
  const std::array<std::pair<const char*, const Json*>, 2> sides{{{"A", &json_a}, {"B", &json_b}}};
  for (const auto& [side, json] : sides) {
    if (member(*json, "verdict") == "INVALID") {
      out.push_back(fmt::format("INVALID: {} measured its own client, not the server", side));
    }
    if (member(*json, "stopped_early") == true) {
      out.push_back(fmt::format("stopped: {} was ended early", side));
    }
  }
  return out;
}

}  // namespace pantryd::loadgen
