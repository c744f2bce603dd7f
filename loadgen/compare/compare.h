// `load compare`: two sides, each one run or several, figure by figure as a ratio B/A with a 95 %
// confidence interval. An interval that spans 1 is reported as "no difference shown", which is not
// the same as no difference.
//
// Where the interval comes from, and so what it can know:
//   windows  one run a side: the seconds of each run are drawn again in blocks (circular block
//            bootstrap, since neighbours resemble each other). It knows the scatter within a run
//            and nothing of that from run to run, which is often larger. Without the file of the
//            windows only throughput and p99 of all operations can be judged.
//   runs     two or more runs a side: Welch's t interval over the logarithms.
//   pairs    runs in pairs, A and B in turn: the t interval over the logarithms of their ratios.
// Sources: Politis and Romano 1992 (circular blocks); facts on repetition: Kalibera et al. 2005.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pantryd::loadgen {

/// What is compared of an operation, or of all together (an empty name).
struct FigureKey {
  std::string operation;
  /// throughput_per_s, p50_us, p99_us; of all: throughput_per_s, cpu_us_per_operation and
  /// p99_of_seconds_us, the mean over the seconds of the p99 of each
  std::string figure;
  [[nodiscard]] auto operator<=>(const FigureKey&) const = default;
};

struct ComparedRun {
  /// Of one operation in one second: response times as (us, count), and their number.
  struct Part {
    double completed = 0;
    std::vector<std::pair<std::int64_t, std::int64_t>> response_us;
  };
  struct Second {
    double completed = 0;
    double p99_us = 0;
    std::map<std::string, Part> operations;  ///< only from a file of windows
  };
  std::string name;                     ///< of the file, or "A 3"
  std::string verdict;                  ///< of the run
  std::map<FigureKey, double> figures;  ///< those above 0
  std::vector<Second> seconds;          ///< whole ones of the measured part
};

enum class Shown { no_difference, lower, higher, not_judged };
[[nodiscard]] std::string_view to_string(Shown shown);

struct ComparedFigure {
  FigureKey key;
  double a = 0, b = 0;                                ///< geometric means of the runs
  double ratio = 1;                                   ///< b / a
  std::optional<std::pair<double, double>> interval;  ///< of the ratio; none: not known
  Shown shown = Shown::not_judged;
};

struct Comparison {
  std::string method;  ///< windows, runs, pairs
  std::vector<std::string> a_names, b_names;
  std::vector<ComparedFigure> figures;
  std::vector<std::string> differences;  ///< of options and environments, allowed by the caller
  std::vector<std::string> notes;

  [[nodiscard]] std::string to_json() const;  ///< {"format":"pantryd.compare","version":1,...}
  [[nodiscard]] std::string to_text() const;
};

/// Throws Error(usage): no runs, or (pairs) not the same number on both sides, at least two.
[[nodiscard]] Comparison compare_runs(const std::vector<ComparedRun>& a,
                                      const std::vector<ComparedRun>& b, std::uint64_t seed = 1);
[[nodiscard]] Comparison compare_pairs(const std::vector<ComparedRun>& a,
                                       const std::vector<ComparedRun>& b);

/// From the JSON of a load result. Throws Error(usage) that begins with `name` when it is cut off,
/// of another format or of another version.
[[nodiscard]] ComparedRun read_run(const std::string& name, const std::string& text);

/// Puts the seconds of a file of windows (window_file.h: JSON lines) in place of those of the
/// result, so that single operations can be judged, too. Throws Error(usage) that begins with
/// `name` when it is cut off, of another format, or not of the operations of `run`.
void add_windows(ComparedRun& run, const std::string& name, const std::string& text);

/// What makes two load results unlike: "NAME: what in A against what in B". Options, server,
/// dataset, environment, and runs that were INVALID or ended early. Both texts were read_run().
[[nodiscard]] std::vector<std::string> run_differences(const std::string& a, const std::string& b);

/// Without those whose NAME is in `allowed`, or none of them when it holds "all".
[[nodiscard]] std::vector<std::string> not_allowed(const std::vector<std::string>& differences,
                                                   const std::set<std::string>& allowed);

}  // namespace pantryd::loadgen
