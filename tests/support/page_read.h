// For tests that read pages of the daemon: a GET that is timed, and the lines of a page of metrics.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pantryd::testing_support {

struct Answer {
  int status = 0;  ///< 0: none
  std::string body;
  double took_ms = 0;
};

/// GET on loopback, with nothing between us and the socket: the time is the daemon's.
[[nodiscard]] Answer get(std::uint16_t port, const std::string& path);

/// The value of the series, which is the whole of a line's begin: NAME{LABELS} in the page's order.
[[nodiscard]] std::optional<double> value_of(std::string_view page, std::string_view series);
/// Whether a line begins with `start`.
[[nodiscard]] bool has_line(std::string_view page, std::string_view start);
/// The lines that begin so.
[[nodiscard]] std::string lines_of(std::string_view page, std::string_view start);
/// What `promtool check metrics` says of the page: empty when nothing is wrong.
[[nodiscard]] std::string promtool_says(const std::string& page);
/// Series that are there more than once, one a line.
[[nodiscard]] std::string told_twice(std::string_view page);

/// The series of a probe's outcome and age, as they stand on a page.
[[nodiscard]] std::string outcome_of(const std::string& probe, const std::string& outcome,
                                     const std::string& target);
[[nodiscard]] std::string age_of(const std::string& probe, const std::string& target);

}  // namespace pantryd::testing_support
