// Coordinates: a viewBox of kWidth by kHeight, the plot inside of the margins.
#include "html/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "html/escape.h"

namespace pantryd::html {
namespace {

constexpr double kWidth = 900;
constexpr double kHeight = 200;
constexpr double kLeft = 60;
constexpr double kRight = 10;
constexpr double kTop = 10;
constexpr double kBottom = 24;

double x_of(const ChartAxis& axis, double at_s) {
  const double length = std::max(axis.to_s - axis.from_s, 1e-9);
  const double share = std::clamp((at_s - axis.from_s) / length, 0.0, 1.0);
  return kLeft + share * (kWidth - kLeft - kRight);
}

double y_of(double value, double top) {
  const double share = top > 0 ? std::clamp(value / top, 0.0, 1.0) : 0;
  return kHeight - kBottom - share * (kHeight - kTop - kBottom);
}

/// 1, 2 or 5 times a power of ten, not below `value`.
double round_up(double value) {
  if (!(value > 0)) return 1;
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= value) return factor * power;
  }
  return 10 * power;
}

std::string frame(const ChartAxis& axis, double top, const std::string& unit) {
  std::string out;
  for (const double share : {0.0, 0.5, 1.0}) {
    const double y = y_of(share * top, top);
    out += fmt::format(
        "<line class=\"grid\" x1=\"{:.0f}\" x2=\"{:.0f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>"
        "<text x=\"{:.0f}\" y=\"{:.1f}\" text-anchor=\"end\">{:g}</text>\n",
        kLeft, kWidth - kRight, y, y, kLeft - 6, y + 4, share * top);
  }
  out += fmt::format("<text x=\"4\" y=\"{:.0f}\">{}</text>\n", kHeight - 6, escaped(unit));
  const double step = round_up((axis.to_s - axis.from_s) / 8);
  for (double at = std::ceil(axis.from_s / step) * step; at <= axis.to_s; at += step) {
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.0f}\" text-anchor=\"middle\">{:g} s</text>\n",
                       x_of(axis, at), kHeight - 6, at);
  }
  for (const auto& mark : axis.marks) {
    const double from = x_of(axis, mark.from_s);
    out += fmt::format(
        "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.0f}\" width=\"{:.1f}\" height=\"{:.0f}\"><title>{}"
        "</title></rect>\n",
        mark.kind, from, kTop, std::max(2.0, x_of(axis, mark.to_s) - from),
        kHeight - kTop - kBottom, escaped(mark.tooltip));
  }
  return out;
}

std::string drawing(const std::string& title, const std::string& content) {
  return fmt::format(
      "<h2>{0}</h2>\n<svg viewBox=\"0 0 {1:.0f} {2:.0f}\" role=\"img\" aria-label=\"{0}\">\n{3}"
      "</svg>\n",
      escaped(title), kWidth, kHeight, content);
}

/// So many that each drawn one stands for `stride` of them, by the largest.
ChartPoints thinned(const ChartPoints& points) {
  const auto stride = (points.size() + kPointsMax - 1) / kPointsMax;
  if (stride <= 1) return points;
  ChartPoints out;
  for (std::size_t i = 0; i < points.size(); i += stride) {
    const auto end = std::min(points.size(), i + stride);
    out.push_back(
        *std::max_element(points.begin() + static_cast<std::ptrdiff_t>(i),
                          points.begin() + static_cast<std::ptrdiff_t>(end),
                          [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  return out;
}

}  // namespace

std::string line_chart(const ChartAxis& axis, const ChartPoints& points, const std::string& title,
                       const std::string& unit) {
  double largest = 0;
  for (const auto& [at, value] : points) largest = std::max(largest, value);
  const double top = round_up(largest);
  std::string line;
  for (const auto& [at, value] : thinned(points)) {
    line += fmt::format("{:.1f},{:.1f} ", x_of(axis, at), y_of(value, top));
  }
  return drawing(title, frame(axis, top, unit) +
                            fmt::format("<polyline class=\"line\" points=\"{}\"/>\n", line));
}

std::string stacked_chart(const ChartAxis& axis, const std::vector<ChartBar>& bars,
                          const std::vector<std::string>& names, const std::string& title,
                          const std::string& unit) {
  double largest = 0;
  for (const auto& bar : bars) {
    double sum = 0;
    for (const double part : bar.parts) sum += part;
    largest = std::max(largest, sum);
  }
  const double top = round_up(largest);
  std::string content = frame(axis, top, unit);
  for (const auto& bar : bars) {
    double below = 0;
    for (std::size_t i = 0; i < bar.parts.size(); ++i) {
      if (bar.parts[i] <= 0) continue;
      const double high = y_of(below + bar.parts[i], top);
      content += fmt::format(
          "<rect class=\"c{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"><title>"
          "{}: {:g}</title></rect>\n",
          i, x_of(axis, bar.from_s), high,
          std::max(0.5, x_of(axis, bar.to_s) - x_of(axis, bar.from_s)), y_of(below, top) - high,
          escaped(names[i]), bar.parts[i]);
      below += bar.parts[i];
    }
  }
  std::string legend = "<p class=\"legend\">";
  for (std::size_t i = 0; i < names.size(); ++i) {
    legend += fmt::format(
        "<span><svg class=\"key\" viewBox=\"0 0 9 9\"><rect class=\"c{}\" "
        "width=\"9\" height=\"9\"/></svg> {}</span> ",
        i, escaped(names[i]));
  }
  return drawing(title, content) + legend + "</p>\n";
}

}  // namespace pantryd::html
