// What the search for a ceiling asks for and what it found: plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/verdict.h"

namespace pantryd::loadgen {

enum class Purpose { calibrate, burst, base, bracket, narrow, confirm, anneal };
[[nodiscard]] std::string_view to_string(Purpose purpose);

struct SearchSettings {
  std::chrono::milliseconds trial{5'000};     ///< the shortest; lengthened up to eight times
  std::chrono::milliseconds budget{600'000};  ///< of the whole, the sum of TrialOutcome::taken
  double width_max = 0.05;                    ///< high / low - 1 of the published interval
  double client_share_max = 0.5;              ///< of the client's own ceiling
  std::int64_t samples_min = 1'000;           ///< a trial lasts until so many have arrived
  int confirmations = 3;
  int invalid_max = 3;    ///< repeats of one trial that the client spoiled
  int lengthen_max = 2;   ///< doublings of one trial that was too short to say
  int lowerings_max = 8;  ///< of the lower end, when it is not confirmed
  int trials_max = 60;
  bool calibrate = true;
  bool anneal = true;
};

struct Trial {
  Purpose purpose = Purpose::calibrate;
  std::optional<double> rate_per_s;  ///< none: a closed loop
  std::chrono::milliseconds duration{0};
  bool null_target = false;  ///< against nothing instead of the server
};

struct TrialOutcome {
  Verdict verdict = Verdict::inconclusive;
  double completed_per_s = 0;
  std::int64_t p99_us = 0;  ///< response, of all operations together
  std::chrono::milliseconds taken{0};
  bool stopped = false;    ///< by a person
  std::string reason;      ///< of the verdict, a sentence or empty
  std::string bottleneck;  ///< what limited the server, a sentence or empty
};

struct SearchPoint {
  Trial trial;
  TrialOutcome outcome;
};

/// PASS: an interval whose lower end was confirmed. FAIL: the SLO is broken at any rate.
/// INVALID: the client was the limit; `low` is then what it reached. INCONCLUSIVE: out of budget,
/// ended by a person, or results that contradict each other.
struct SearchResult {
  Verdict verdict = Verdict::inconclusive;
  std::vector<std::string> reasons;
  std::optional<double> low_per_s;   ///< the best rate that passed
  std::optional<double> high_per_s;  ///< the lowest that failed, or could not be shown to pass
  int confirmed = 0;                 ///< times that `low` passed at full length
  std::optional<double> client_ceiling_per_s;  ///< of the closed loop against the null target
  std::optional<double> client_limit_per_s;    ///< what is asked of it at most
  std::optional<double> closed_loop_per_s;     ///< of the burst
  std::optional<std::int64_t> base_p99_us;
  std::optional<bool>
      hysteresis;  ///< `low` no longer passed after an overload; none: not looked at
  std::vector<SearchPoint> points;  ///< in order

  [[nodiscard]] std::optional<double> width() const;  ///< high / low - 1
  /// What limited the server at the lowest rate that failed; empty when it is not known.
  [[nodiscard]] std::string bottleneck() const;
};

}  // namespace pantryd::loadgen
