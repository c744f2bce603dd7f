// One run of one probe: how it ended, and the series that it made.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pantryd::probes {

/// How a run of a probe ended. Absence of data always has a reason, and the reason is a metric.
enum class Outcome {
  ok,
  error,           ///< the server refused the statement, or is not there
  timeout,         ///< the probe's deadline
  lock_skipped,    ///< a lock was in the way for longer than lock_timeout
  not_applicable,  ///< not for this role, version, or without the extension
  suppressed,      ///< not run on purpose
};
inline constexpr std::array kOutcomes{
    Outcome::ok,           Outcome::error,          Outcome::timeout,
    Outcome::lock_skipped, Outcome::not_applicable, Outcome::suppressed};
[[nodiscard]] std::string_view to_string(Outcome outcome);

enum class MetricType { gauge, counter, untyped, histogram };

struct MetricInfo {
  std::string name;
  MetricType type = MetricType::gauge;
  std::string help;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

struct Sample {
  std::shared_ptr<const MetricInfo> metric;
  Labels labels;
  double value = 0;
};

/// The series of one family as they stand on a page, without its HELP and TYPE.
struct FamilyText {
  std::shared_ptr<const MetricInfo> metric;
  std::string lines;
  std::int64_t series = 0;
};

/// One run of one probe.
struct ProbeRun {
  Outcome outcome = Outcome::ok;
  std::vector<FamilyText> families;  ///< of SQL, ready for the page
  std::vector<Sample> samples;       ///< of code; and of SQL if values are asked for
  std::int64_t rows = 0;
  std::int64_t skipped = 0;           ///< relations left out because of their locks
  std::int64_t lost = 0;              ///< rows whose values are in no series
  std::optional<std::int64_t> other;  ///< rows beyond a bound; nothing: the probe has no bound
  std::chrono::microseconds duration{0};
  std::string error;  ///< one line, without secrets; empty when all is well
};

}  // namespace pantryd::probes
