// Whether service times fall while they are measured. Pure.
// Source: Mann 1945, Kendall 1975 (the test for a trend that needs no shape of it).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// The chance that a window in which no operation's times fall is said to have a fall.
inline constexpr double kTrendChance = 0.01;

/// Of one operation.
struct ServiceTrend {
  std::string operation;
  std::string figure;  ///< "median" or "mean"
  double from_us = 0;  ///< mean over the first third of the blocks
  double to_us = 0;    ///< and over the last
};

/// The chance that so many blocks fall as much by chance: Kendall's S over all pairs of them, by
/// the normal approximation, one-sided. 1 with fewer than 6 blocks.
[[nodiscard]] double chance_of_fall(const std::vector<double>& blocks);

/// The operations whose times fall: the median or the mean of equal blocks of the measured window
/// (at least 6 of whole seconds, with 20 samples each) has a falling trend that chance makes
/// in fewer than kTrendChance of the windows (Bonferroni's correction for the number of tests), and
/// its last third is more than 10 % and 50 us below its first third. Operations with fewer samples
/// are not looked at.
[[nodiscard]] std::vector<ServiceTrend> falling_services(const LoadResult& result);

}  // namespace pantryd::loadgen
