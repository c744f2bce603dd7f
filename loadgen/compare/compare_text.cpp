// The forms of a comparison: JSON, whose names are an API, and text.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "loadgen/compare/compare.h"

namespace pantryd::loadgen {
namespace {

using Json = nlohmann::ordered_json;

Json figure_json(const ComparedFigure& figure) {
  Json out = {{"operation", figure.key.operation.empty() ? Json() : Json(figure.key.operation)},
              {"figure", figure.key.figure},
              {"a", figure.a},
              {"b", figure.b},
              {"ratio", figure.ratio}};
  out["low"] = figure.interval ? Json(figure.interval->first) : Json();
  out["high"] = figure.interval ? Json(figure.interval->second) : Json();
  out["shown"] = to_string(figure.shown);
  return out;
}

std::string interval_text(const ComparedFigure& figure) {
  if (!figure.interval) return "-";
  return fmt::format("{:.3f} to {:.3f}", figure.interval->first, figure.interval->second);
}

}  // namespace

std::string Comparison::to_json() const {
  Json out = {{"format", "pantryd.compare"}, {"version", 1}, {"method", method}};
  out["a"] = a_names;
  out["b"] = b_names;
  out["differences"] = differences;
  out["notes"] = notes;
  out["figures"] = Json::array();
  for (const auto& figure : figures) out["figures"].push_back(figure_json(figure));
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Comparison::to_text() const {
  std::string out =
      fmt::format("A: {}\nB: {}\n", fmt::join(a_names, ", "), fmt::join(b_names, ", "));
  out += fmt::format("{:<18}{:<22}{:>12}{:>12}{:>9}  {:<18} {}\n", "", "", "A", "B", "B/A",
                     "95 % interval", "B is");
  for (const auto& figure : figures) {
    out += fmt::format("{:<18}{:<22}{:>12.1f}{:>12.1f}{:>9.3f}  {:<18} {}\n",
                       figure.key.operation.empty() ? "all" : figure.key.operation,
                       figure.key.figure, figure.a, figure.b, figure.ratio, interval_text(figure),
                       to_string(figure.shown));
  }
  for (const auto& difference : differences) out += "allowed: " + difference + "\n";
  for (const auto& note : notes) out += note + "\n";
  return out;
}

}  // namespace pantryd::loadgen
