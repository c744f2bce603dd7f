// The search for the highest rate at which the SLOs hold, as a state machine without clock, server
// or threads: it returns the next trial, and its caller reports the outcome.
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
#include <optional>
#include <string>

#include "loadgen/capacity/search.h"

namespace pantryd::loadgen {

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
