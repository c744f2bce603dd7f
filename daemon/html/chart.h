// Lines and stacked bars over the seconds of a run, as inline SVG.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pantryd::html {

struct ChartMark {
  double from_s = 0;
  double to_s = 0;      ///< equal to from_s: a line
  std::string kind;     ///< a CSS class: "checkpoint", "outage", "warmup"
  std::string tooltip;  ///< not escaped yet
};

/// The axis that all charts of a page share.
struct ChartAxis {
  double from_s = 0;
  double to_s = 1;
  std::vector<ChartMark> marks;
};

using ChartPoints = std::vector<std::pair<double, double>>;  ///< seconds, value

/// One line; at most kPointsMax points are drawn, each the largest of its neighbours.
inline constexpr std::size_t kPointsMax = 1000;
[[nodiscard]] std::string line_chart(const ChartAxis& axis, const ChartPoints& points,
                                     const std::string& title, const std::string& unit);

struct ChartBar {
  double from_s = 0;
  double to_s = 0;
  std::vector<double> parts;  ///< in the order of the names
};

/// Bars of parts on each other, with a legend; the colour of part i is the CSS class "c<i>".
[[nodiscard]] std::string stacked_chart(const ChartAxis& axis, const std::vector<ChartBar>& bars,
                                        const std::vector<std::string>& names,
                                        const std::string& title, const std::string& unit);

}  // namespace pantryd::html
