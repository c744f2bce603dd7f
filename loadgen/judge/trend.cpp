// Every block is one value of a series; the series is tested as a whole.
#include "loadgen/judge/trend.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kBlocksMin = 6;
constexpr double kTrendFallMin = 0.10;
constexpr double kTrendFallMinUs = 50;

constexpr std::int64_t kBlockSamples = 20;
struct TrendFigure {
  const char* name;
  double (*of)(const ServiceSketch& block);
};
constexpr std::array<TrendFigure, 2> kTrendFigures{
    {{"median", [](const ServiceSketch& block) { return block.quantile_us(0.5); }},
     {"mean", [](const ServiceSketch& block) { return block.mean_us(); }}}};

/// Blocks joined until each has enough samples; empty where fewer than kBlocksMin are left. The
/// last one may be shorter than the others, and is left out when it has too few.
std::vector<ServiceSketch> joined(const std::vector<ServiceSketch>& blocks) {
  for (std::size_t width = 1; blocks.size() / width >= kBlocksMin; ++width) {
    std::vector<ServiceSketch> out;
    for (std::size_t at = 0; at < blocks.size(); at += width) {
      auto& sum = out.emplace_back();
      for (std::size_t i = at; i < std::min(at + width, blocks.size()); ++i) sum.merge(blocks[i]);
    }
    if (out.back().count() < kBlockSamples) out.pop_back();
    const bool enough = std::all_of(out.begin(), out.end(), [&](const ServiceSketch& each) {
      return each.count() >= kBlockSamples;
    });
    if (enough && out.size() >= kBlocksMin) return out;
  }
  return {};
}

double mean_of(const std::vector<double>& values, std::size_t from, std::size_t to) {
  double sum = 0;
  for (std::size_t i = from; i < to; ++i) sum += values[i];
  return sum / static_cast<double>(to - from);
}

std::optional<ServiceTrend> trend_of(const OperationResult& operation, const TrendFigure& which,
                                     double chance) {
  std::vector<double> series;
  for (const auto& block : joined(operation.service_over_time.blocks())) {
    series.push_back(which.of(block));
  }
  if (chance_of_fall(series) > chance) return std::nullopt;
  const auto third = series.size() / 3;
  const double from = mean_of(series, 0, third);
  const double to = mean_of(series, series.size() - third, series.size());
  if (to > (1 - kTrendFallMin) * from || from - to < kTrendFallMinUs) return std::nullopt;
  return ServiceTrend{operation.name, which.name, from, to};
}

}  // namespace

double chance_of_fall(const std::vector<double>& blocks) {
  if (blocks.size() < kBlocksMin) return 1;
  double falls = 0;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t k = i + 1; k < blocks.size(); ++k) {
      if (blocks[k] < blocks[i]) falls += 1;
      if (blocks[k] > blocks[i]) falls -= 1;
    }
  }
  if (falls <= 0) return 1;
  const auto n = static_cast<double>(blocks.size());
  const double z = (falls - 1) / std::sqrt(n * (n - 1) * (2 * n + 5) / 18);
  return 0.5 * std::erfc(z / std::sqrt(2));
}

std::vector<ServiceTrend> falling_services(const LoadResult& result) {
  std::vector<ServiceTrend> out;
  const auto tests = static_cast<double>(kTrendFigures.size() *
                                         std::max<std::size_t>(1, result.operations.size()));
  for (const auto& operation : result.operations) {
    for (const auto& which : kTrendFigures) {
      auto found = trend_of(operation, which, kTrendChance / tests);
      if (!found) continue;
      out.push_back(std::move(*found));
      break;
    }
  }
  return out;
}

}  // namespace pantryd::loadgen
