// The search for the highest rate at which the SLOs hold, as a state machine without clock, server
// or threads: it says which trial comes next, and is told what came of it.
//
//   calibrate  what the client carries against a target that does nothing; at most half of it is
//              ever asked for, so that the client is not what is measured
//   burst      a closed loop: an upper bound of the throughput, and of nothing else
//   base       a tenth of that: when the SLO is broken there, no rate is sustainable
//   bracket    from half of it, by 1.3 up after a pass and down after a failure
//   narrow     between the two in log space, nearer to the lower end, since a failure far above the
//              limit leaves debris behind; trials lengthen as the interval shrinks
//   confirm    the lower end again and again; one failure makes it the upper end
//   anneal     above the limit and back, twice at most: whether the server bears it a grudge
//
// Sources: RFC 2544; MLRsearch (FD.io); Shivam et al., "Cutting corners", USENIX ATC 2008.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

enum class Purpose { calibrate, burst, base, bracket, narrow, confirm, anneal };
[[nodiscard]] std::string_view to_string(Purpose purpose);

struct SearchSettings {
  std::chrono::milliseconds trial{5'000};     ///< the shortest; lengthened up to eight times
  std::chrono::milliseconds budget{600'000};  ///< of the whole, as told by TrialOutcome::taken
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
  /// What limited the server at the lowest rate that failed; empty when nobody could tell.
  [[nodiscard]] std::string bottleneck() const;
};

class FindMax {
 public:
  explicit FindMax(SearchSettings settings);

  /// The trial to run now; the same one until it is reported. None: the search is over.
  [[nodiscard]] std::optional<Trial> next_trial();
  /// Must follow a next_trial() that gave one.
  void report(const TrialOutcome& outcome);
  [[nodiscard]] const SearchResult& result() const { return result_; }
  [[nodiscard]] std::chrono::milliseconds taken() const { return taken_; }

 private:
  void plan(Purpose purpose, std::optional<double> rate_per_s, int stretch = 1);
  void finish(Verdict verdict, std::string reason);
  [[nodiscard]] bool again(const TrialOutcome& outcome);
  void on_calibrate(const TrialOutcome& outcome);
  void on_burst(const TrialOutcome& outcome);
  void on_base(const TrialOutcome& outcome);
  void on_bracket(bool passed);
  void on_confirm(bool passed);
  void on_anneal(const TrialOutcome& outcome);
  void narrow();
  void confirm();
  [[nodiscard]] double capped(double rate_per_s) const;

  const SearchSettings settings_;
  SearchResult result_;
  std::optional<Trial> current_;
  std::chrono::milliseconds taken_{0};
  double base_per_s_ = 0;
  int invalid_ = 0;
  int lengthened_ = 0;
  int lowered_ = 0;
  int grudges_ = 0;          ///< failures at the lower end after an overload
  bool overloaded_ = false;  ///< the upward half of the annealing is done
  bool over_ = false;
};

}  // namespace pantryd::loadgen
