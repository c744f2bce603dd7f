// The words of the options: what a person writes and what a result says.
#include "loadgen/result/options.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"

namespace pantryd::loadgen {

std::string_view to_string(Mode mode) {
  return mode == Mode::faithful ? "faithful" : "pipelined";
}

Mode parse_mode(const std::string& name, const std::string& text) {
  for (const auto each : {Mode::faithful, Mode::pipelined}) {
    if (text == to_string(each)) return each;
  }
  throw Error(ExitCode::usage, fmt::format("{} {} is unknown", name, text),
              "It is faithful or pipelined.");
}

std::optional<double> parse_rate(const std::string& name, const std::string& text) {
  if (text == "max") return std::nullopt;
  char* end = nullptr;
  const double rate = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') {
    throw Error(ExitCode::usage, fmt::format("{} {} is neither a number nor max", name, text));
  }
  return rate;
}

std::string_view to_string(Arrivals arrivals) {
  return arrivals == Arrivals::poisson ? "poisson" : "fixed";
}

}  // namespace pantryd::loadgen
