// Ratios and their intervals. All arithmetic is on logarithms: a ratio and its inverse are then
// equally far from 1.
#include "loadgen/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include "base/error.h"
#include "base/random.h"

namespace pantryd::loadgen {
namespace {

constexpr int kResamples = 1'000;
constexpr std::size_t kBlocksMin = 6;
constexpr double kBeyondMin = 10;
constexpr std::size_t kSecondsMin = 12;  // for an interval from the seconds of a run

/// 97.5 % of Student's t. Exact to 0.002 up to 30 degrees of freedom, and beyond to 0.3 %.
double t_975(double degrees) {
  static constexpr std::array table{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                    2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                    2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                    2.060,  2.056, 2.052, 2.048, 2.045, 2.042};
  const auto whole = static_cast<std::size_t>(std::max(1.0, std::floor(degrees)));
  return whole <= table.size() ? table[whole - 1] : 1.96 + 2.42 / degrees;
}

struct Moments {
  double mean = 0;
  double variance = 0;  ///< of one value
  double count = 0;
};

Moments moments(const std::vector<double>& values) {
  Moments out;
  out.count = static_cast<double>(values.size());
  if (values.empty()) return out;
  for (const double value : values) out.mean += value / out.count;
  for (const double value : values) out.variance += (value - out.mean) * (value - out.mean);
  out.variance = values.size() > 1 ? out.variance / (out.count - 1) : 0;
  return out;
}

Shown shown_by(const std::optional<std::pair<double, double>>& interval) {
  if (!interval) return Shown::not_judged;
  if (interval->first > 1) return Shown::higher;
  return interval->second < 1 ? Shown::lower : Shown::no_difference;
}

std::pair<double, double> around(double log_ratio, double half) {
  return {std::exp(log_ratio - half), std::exp(log_ratio + half)};
}

/// The logarithms of a figure over runs; empty unless every run has it.
std::vector<double> logs_of(const std::vector<ComparedRun>& runs, const FigureKey& key) {
  std::vector<double> out;
  for (const auto& run : runs) {
    const auto found = run.figures.find(key);
    if (found == run.figures.end() || !(found->second > 0)) return {};
    out.push_back(std::log(found->second));
  }
  return out;
}

std::optional<std::pair<double, double>> welch(const Moments& a, const Moments& b) {
  if (a.count < 2 || b.count < 2) return std::nullopt;
  const double va = a.variance / a.count;
  const double vb = b.variance / b.count;
  const double sum = va + vb;
  if (sum <= 0) return around(b.mean - a.mean, 0);
  const double degrees = sum * sum / (va * va / (a.count - 1) + vb * vb / (b.count - 1));
  return around(b.mean - a.mean, t_975(degrees) * std::sqrt(sum));
}

/// A figure of some seconds of a run, by their indexes; one may come more than once.
using Figure = std::function<double(const std::vector<std::size_t>&)>;

/// Variance of the logarithm of a figure, and the blocks it was made of.
struct Resampled {
  double variance = 0;
  double blocks = 0;
};

Resampled resample(std::size_t n, const Figure& figure, Random& random) {
  // Grows as n^(1/3), as theory asks; twice that, since too short blocks take neighbours that
  // resemble each other for independent ones and then show differences that are not there.
  const auto wanted = 2 * static_cast<std::size_t>(std::cbrt(static_cast<double>(n) + 0.5));
  const auto length = std::clamp<std::size_t>(wanted, 1, n / kBlocksMin);
  const auto blocks = n / length;
  std::vector<double> logs;
  std::vector<std::size_t> drawn(blocks * length);
  for (int i = 0; i < kResamples; ++i) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const auto from = random.below(n);
      for (std::size_t k = 0; k < length; ++k) drawn[block * length + k] = (from + k) % n;
    }
    const double value = figure(drawn);
    if (value > 0) logs.push_back(std::log(value));
  }
  Resampled out;
  out.blocks = static_cast<double>(blocks);
  // The resamples scatter around the sample's mean by (blocks - 1) / blocks of what they should.
  out.variance = moments(logs).variance * out.blocks / (out.blocks - 1);
  return out;
}

std::vector<std::size_t> all_of(std::size_t n) {
  std::vector<std::size_t> out(n);
  std::iota(out.begin(), out.end(), 0U);
  return out;
}

std::optional<ComparedFigure> by_seconds(const FigureKey& key, std::size_t a_seconds,
                                         const Figure& a, std::size_t b_seconds, const Figure& b,
                                         Random& random) {
  ComparedFigure out;
  out.key = key;
  out.a = a(all_of(a_seconds));
  out.b = b(all_of(b_seconds));
  if (!(out.a > 0 && out.b > 0)) return std::nullopt;
  out.ratio = out.b / out.a;
  const auto of_a = resample(a_seconds, a, random);
  const auto of_b = resample(b_seconds, b, random);
  const double degrees = std::min(of_a.blocks, of_b.blocks) - 1;
  out.interval =
      around(std::log(out.ratio), t_975(degrees) * std::sqrt(of_a.variance + of_b.variance));
  out.shown = shown_by(out.interval);
  return out;
}

std::set<FigureKey> keys_of(const std::vector<ComparedRun>& a, const std::vector<ComparedRun>& b) {
  std::set<FigureKey> out;
  for (const auto* side : {&a, &b}) {
    for (const auto& run : *side) {
      for (const auto& [key, value] : run.figures) out.insert(key);
    }
  }
  return out;
}

/// The mean over seconds of what `value` takes from each.
template <typename Value>
Figure mean_of(const ComparedRun& run, Value value) {
  std::vector<double> values;
  for (const auto& second : run.seconds) values.push_back(value(second));
  return [values](const std::vector<std::size_t>& seconds) {
    double sum = 0;
    for (const auto at : seconds) sum += values[at];
    return sum / static_cast<double>(seconds.size());
  };
}

/// A quantile of an operation's response times, from histograms that are added up.
class Quantiles {
 public:
  Quantiles(const ComparedRun& run, const std::string& operation) {
    std::map<std::int64_t, std::size_t> places;
    for (const auto& second : run.seconds) {
      for (const auto& [us, count] : second.operations.at(operation).response_us) places[us] = 0;
    }
    for (auto& [us, place] : places) {
      place = us_.size();
      us_.push_back(us);
    }
    for (const auto& second : run.seconds) {
      auto& counts = seconds_.emplace_back();
      for (const auto& [us, count] : second.operations.at(operation).response_us) {
        counts.emplace_back(places[us], count);
        samples_ += count;
      }
    }
  }
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  [[nodiscard]] double operator()(const std::vector<std::size_t>& drawn, double quantile) const {
    std::vector<std::int64_t> sums(us_.size());
    std::int64_t all = 0;
    for (const auto at : drawn) {
      for (const auto& [place, count] : seconds_[at]) {
        sums[place] += count;
        all += count;
      }
    }
    const auto wanted = static_cast<std::int64_t>(std::ceil(quantile * static_cast<double>(all)));
    std::int64_t below = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      below += sums[i];
      if (below >= wanted && all > 0) return static_cast<double>(us_[i]);
    }
    return 0;
  }

 private:
  std::vector<std::int64_t> us_;
  std::vector<std::vector<std::pair<std::size_t, std::int64_t>>> seconds_;
  std::int64_t samples_ = 0;
};

void replace(Comparison& out, std::optional<ComparedFigure> figure) {
  if (!figure) return;
  const auto same = std::find_if(out.figures.begin(), out.figures.end(),
                                 [&](const auto& each) { return each.key == figure->key; });
  if (same != out.figures.end()) {
    *same = std::move(*figure);
  } else {
    out.figures.push_back(std::move(*figure));
  }
}

/// The figures of one operation, for files of windows.
void use_operation(const ComparedRun& a, const ComparedRun& b, const std::string& operation,
                   Random& random, Comparison& out) {
  const auto completed = [&](const ComparedRun::Second& second) {
    return second.operations.at(operation).completed;
  };
  const auto na = a.seconds.size();
  const auto nb = b.seconds.size();
  replace(out, by_seconds({operation, "throughput_per_s"}, na, mean_of(a, completed), nb,
                          mean_of(b, completed), random));
  const Quantiles of_a(a, operation);
  const Quantiles of_b(b, operation);
  for (const auto& [name, quantile] : {std::pair("p50_us", 0.5), std::pair("p99_us", 0.99)}) {
    // Ten samples beyond the quantile, or it is the luck of the slowest few.
    const double beyond =
        (1 - quantile) * static_cast<double>(std::min(of_a.samples(), of_b.samples()));
    if (beyond < kBeyondMin) continue;
    const auto with = [q = quantile](const Quantiles& of) {
      return [&of, q](const std::vector<std::size_t>& seconds) { return of(seconds, q); };
    };
    replace(out, by_seconds({operation, name}, na, with(of_a), nb, with(of_b), random));
  }
}

/// One run a side: what the seconds show, in place of figures that have no interval.
void use_seconds(const ComparedRun& a, const ComparedRun& b, std::uint64_t seed, Comparison& out) {
  if (std::min(a.seconds.size(), b.seconds.size()) < kSecondsMin) {
    out.notes.push_back(fmt::format(
        "One run a side, with fewer than {} whole seconds: nothing can be judged.", kSecondsMin));
    return;
  }
  Random random(seed);
  const auto completed = [](const ComparedRun::Second& second) { return second.completed; };
  const auto p99_us = [](const ComparedRun::Second& second) { return second.p99_us; };
  const auto na = a.seconds.size();
  const auto nb = b.seconds.size();
  replace(out, by_seconds({"", "throughput_per_s"}, na, mean_of(a, completed), nb,
                          mean_of(b, completed), random));
  replace(out, by_seconds({"", "p99_of_seconds_us"}, na, mean_of(a, p99_us), nb, mean_of(b, p99_us),
                          random));
  for (const auto& [operation, part] : a.seconds.front().operations) {
    if (b.seconds.front().operations.contains(operation)) {
      use_operation(a, b, operation, random, out);
    }
  }
  out.notes.emplace_back(
      "One run a side: the intervals know nothing of the scatter from run to run. Give several "
      "files a side, or compare live.");
}

std::vector<std::string> names_of(const std::vector<ComparedRun>& runs) {
  std::vector<std::string> out;
  for (const auto& run : runs) out.push_back(run.name);
  return out;
}

Comparison begin(const std::vector<ComparedRun>& a, const std::vector<ComparedRun>& b) {
  if (a.empty() || b.empty()) {
    throw Error(ExitCode::usage, "there is nothing to compare", "Give two result files.");
  }
  Comparison out;
  out.a_names = names_of(a);
  out.b_names = names_of(b);
  return out;
}

}  // namespace

std::string_view to_string(Shown shown) {
  switch (shown) {
    case Shown::no_difference:
      return "no difference shown";
    case Shown::lower:
      return "lower";
    case Shown::higher:
      return "higher";
    case Shown::not_judged:
      return "not judged";
  }
  return "?";
}

Comparison compare_runs(const std::vector<ComparedRun>& a, const std::vector<ComparedRun>& b,
                        std::uint64_t seed) {
  auto out = begin(a, b);
  const bool single = a.size() == 1 && b.size() == 1;
  out.method = single ? "windows" : "runs";
  for (const auto& key : keys_of(a, b)) {
    const auto of_a = moments(logs_of(a, key));
    const auto of_b = moments(logs_of(b, key));
    if (of_a.count == 0 || of_b.count == 0) continue;
    ComparedFigure figure;
    figure.key = key;
    figure.a = std::exp(of_a.mean);
    figure.b = std::exp(of_b.mean);
    figure.ratio = figure.b / figure.a;
    figure.interval = welch(of_a, of_b);
    figure.shown = shown_by(figure.interval);
    out.figures.push_back(std::move(figure));
  }
  if (single) {
    use_seconds(a.front(), b.front(), seed, out);
  } else if (a.size() == 1 || b.size() == 1) {
    out.notes.emplace_back("One side has a single run: nothing can be judged.");
  }
  return out;
}

Comparison compare_pairs(const std::vector<ComparedRun>& a, const std::vector<ComparedRun>& b) {
  auto out = begin(a, b);
  if (a.size() != b.size() || a.size() < 2) {
    throw Error(ExitCode::usage, "pairs need the same number of runs of A and B, at least two");
  }
  out.method = "pairs";
  for (const auto& key : keys_of(a, b)) {
    const auto of_a = logs_of(a, key);
    const auto of_b = logs_of(b, key);
    if (of_a.empty() || of_b.empty()) continue;
    std::vector<double> ratios;
    for (std::size_t i = 0; i < of_a.size(); ++i) ratios.push_back(of_b[i] - of_a[i]);
    const auto found = moments(ratios);
    ComparedFigure figure;
    figure.key = key;
    figure.a = std::exp(moments(of_a).mean);
    figure.b = std::exp(moments(of_b).mean);
    figure.ratio = std::exp(found.mean);
    figure.interval =
        around(found.mean, t_975(found.count - 1) * std::sqrt(found.variance / found.count));
    figure.shown = shown_by(figure.interval);
    out.figures.push_back(std::move(figure));
  }
  return out;
}

std::vector<std::string> not_allowed(const std::vector<std::string>& differences,
                                     const std::set<std::string>& allowed) {
  if (allowed.contains("all")) return {};
  std::vector<std::string> out;
  for (const auto& each : differences) {
    if (!allowed.contains(each.substr(0, each.find(':')))) out.push_back(each);
  }
  return out;
}

}  // namespace pantryd::loadgen
