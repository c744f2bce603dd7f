// No state. All arithmetic is on logarithms: a ratio and its inverse are then equally far from 1.
#include "loadgen/report/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "base/error.h"
#include "loadgen/dataset/random.h"

namespace pantryd::loadgen {
namespace {

constexpr int kResamples = 1'000;
constexpr std::size_t kBlocksMin = 6;
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

using Statistic = std::function<double(const ComparedRun::Second&)>;

/// Variance of the logarithm of a mean over seconds, and the blocks it was made of.
struct Resampled {
  double variance = 0;
  double blocks = 0;
};

Resampled resample(const std::vector<ComparedRun::Second>& seconds, const Statistic& value,
                   Random& random) {
  const auto n = seconds.size();
  // Grows as n^(1/3), as theory asks; twice that, since too short blocks take neighbours that
  // resemble each other for independent ones and then show differences that are not there.
  const auto wanted = 2 * static_cast<std::size_t>(std::cbrt(static_cast<double>(n) + 0.5));
  const auto length = std::clamp<std::size_t>(wanted, 1, n / kBlocksMin);
  const auto blocks = n / length;
  std::vector<double> logs;
  for (int i = 0; i < kResamples; ++i) {
    double sum = 0;
    for (std::size_t block = 0; block < blocks; ++block) {
      const auto from = random.below(n);
      for (std::size_t k = 0; k < length; ++k) sum += value(seconds[(from + k) % n]);
    }
    if (sum > 0) logs.push_back(std::log(sum));
  }
  Resampled out;
  out.blocks = static_cast<double>(blocks);
  // The resamples scatter around the sample's mean by (blocks - 1) / blocks of what they should.
  out.variance = moments(logs).variance * out.blocks / (out.blocks - 1);
  return out;
}

double mean_of(const std::vector<ComparedRun::Second>& seconds, const Statistic& value) {
  double sum = 0;
  for (const auto& second : seconds) sum += value(second);
  return sum / static_cast<double>(seconds.size());
}

ComparedFigure by_seconds(const FigureKey& key, const ComparedRun& a, const ComparedRun& b,
                          const Statistic& value, Random& random) {
  ComparedFigure out;
  out.key = key;
  out.a = mean_of(a.seconds, value);
  out.b = mean_of(b.seconds, value);
  out.ratio = out.a > 0 && out.b > 0 ? out.b / out.a : 1;
  const auto of_a = resample(a.seconds, value, random);
  const auto of_b = resample(b.seconds, value, random);
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

/// One run a side: what the seconds tell, in place of figures that have no interval.
void use_seconds(const ComparedRun& a, const ComparedRun& b, std::uint64_t seed, Comparison& out) {
  if (std::min(a.seconds.size(), b.seconds.size()) < kSecondsMin) {
    out.notes.push_back(fmt::format(
        "One run a side, with fewer than {} whole seconds: nothing can be judged.", kSecondsMin));
    return;
  }
  Random random(seed);
  const std::vector<std::pair<FigureKey, Statistic>> statistics = {
      {{"", "throughput_per_s"}, [](const auto& second) { return second.completed; }},
      {{"", "p99_of_seconds_us"}, [](const auto& second) { return second.p99_us; }}};
  for (const auto& [key, value] : statistics) {
    std::erase_if(out.figures, [&](const ComparedFigure& each) { return each.key == key; });
    out.figures.insert(out.figures.begin(), by_seconds(key, a, b, value, random));
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
    throw Error(ExitCode::usage, "pairs need as many runs of A as of B, two at least");
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
