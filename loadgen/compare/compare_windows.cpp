// Reads files of windows. The last line says that the file is whole; without it, it was cut off.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.h"
#include "loadgen/compare/compare.h"

namespace pantryd::loadgen {
namespace {

using Line = nlohmann::json;

constexpr int kWindowsVersion = 2;

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
  throw Error(ExitCode::usage, fmt::format("{}: {}", name, what),
              "Give the file that `pantryd load run --windows` wrote in the same run.");
}

std::vector<Line> lines_of(const std::string& name, const std::string& text) {
  std::vector<Line> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    out.push_back(Line::parse(line, nullptr, false));
    if (!out.back().is_object()) refuse(name, "not whole JSON lines: it may have been cut off");
  }
  if (out.empty() || out.front().value("format", Line()) != "pantryd.load.windows") {
    refuse(name, "not a file of windows");
  }
  if (out.front().value("version", Line()) != kWindowsVersion) {
    refuse(name, "written by another version of pantryd");
  }
  if (out.back().value("end", Line()) != true) refuse(name, "it has no end: it was cut off");
  return out;
}

ComparedRun::Part part_of(const Line& json) {
  ComparedRun::Part out;
  out.completed = json.at("completed").get<double>();
  for (const auto& pair : json.at("response_us")) {
    out.response_us.emplace_back(pair.at(0).get<std::int64_t>(), pair.at(1).get<std::int64_t>());
  }
  return out;
}

}  // namespace

void add_windows(ComparedRun& run, const std::string& name, const std::string& text) {
  const auto lines = lines_of(name, text);
  // As many seconds as the result found to be whole: what comes after them is its drain.
  const auto whole = static_cast<std::int64_t>(run.seconds.size());
  std::vector<ComparedRun::Second> seconds;
  try {
    for (const auto& json : lines) {
      if (!json.contains("second")) continue;
      const auto at = json.at("second").get<std::int64_t>();
      if (at < 0 || at >= whole) continue;
      auto& second = seconds.emplace_back();
      second.completed = json.at("completed").get<double>();
      second.p99_us = run.seconds[static_cast<std::size_t>(at)].p99_us;
      for (const auto& [operation, part] : json.at("operations").items()) {
        if (!run.figures.contains({operation, "throughput_per_s"})) {
          // Not one of it was completed, or this is the file of another run.
          if (part.at("completed").get<double>() > 0) {
            refuse(name,
                   fmt::format("it has an operation {} that its result does not have", operation));
          }
        }
        second.operations[operation] = part_of(part);
      }
    }
  } catch (const nlohmann::json::exception&) {
    refuse(name, "not a file of windows of `load run`");
  }
  if (seconds.size() != run.seconds.size()) {
    refuse(name,
           fmt::format("it has {} seconds and its result {}", seconds.size(), run.seconds.size()));
  }
  run.seconds = std::move(seconds);
}

}  // namespace pantryd::loadgen
