// Invariant: seconds_ and queued_ are of the same seconds, the latest last.
#include "loadgen/drive/settling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kShortest = 2;
constexpr std::size_t kSecondScale = 5;
constexpr std::int64_t kSamplesOfEach = 30;
constexpr double kFallMin = 0.05;
constexpr double kFallMinUs = 50;  // a cache or a clock of the host; no server that warms up
constexpr double kNoChance = 1.96;
constexpr double kBacklogMin = 10;
constexpr double kBacklogSeconds = 0.1;  // of what is completed in a second

bool is_lower(double was, double is) {
  return is < (1 - kFallMin) * was && was - is > kFallMinUs;
}

std::optional<ServiceFall> fall_of_median(const ServiceSketch& before, const ServiceSketch& after) {
  const double was = before.quantile_us(0.5);
  const double is = after.quantile_us(0.5);
  if (!is_lower(was, is)) return std::nullopt;
  ServiceSketch both = before;
  both.merge(after);
  const double limit = both.quantile_us(0.5);
  const double apart = before.share_above(limit) - after.share_above(limit);
  const double spread = std::sqrt(0.25 / static_cast<double>(before.count()) +
                                  0.25 / static_cast<double>(after.count()));
  if (apart < kNoChance * spread) return std::nullopt;
  return ServiceFall{"median", was, is};
}

std::optional<ServiceFall> fall_of_mean(const ServiceSketch& before, const ServiceSketch& after) {
  const double was = before.mean_us();
  const double is = after.mean_us();
  if (!is_lower(was, is)) return std::nullopt;
  const double spread = std::sqrt(before.variance_us2() / static_cast<double>(before.count()) +
                                  after.variance_us2() / static_cast<double>(after.count()));
  if (was - is < kNoChance * spread) return std::nullopt;
  return ServiceFall{"mean", was, is};
}

std::string ms_text(double us) {
  return fmt::format("{:.{}f}", us / 1000, us < 10'000 ? 2 : 0);
}

}  // namespace

std::optional<ServiceFall> fall_between(const ServiceSketch& before, const ServiceSketch& after) {
  if (std::min(before.count(), after.count()) < kSamplesOfEach) return std::nullopt;
  if (const auto fall = fall_of_median(before, after)) return fall;
  return fall_of_mean(before, after);
}

void Settling::add(std::vector<ServiceSketch> second, std::int64_t queued) {
  seconds_.push_back(std::move(second));
  queued_.push_back(queued);
  while (seconds_.size() > 2 * kLongest) {
    seconds_.pop_front();
    queued_.pop_front();
  }
  judge();
}

ServiceSketch Settling::sum(std::size_t operation, std::size_t from, std::size_t to) const {
  ServiceSketch out;
  for (std::size_t i = from; i < to; ++i) out.merge(seconds_[i][operation]);
  return out;
}

bool Settling::look_at(std::size_t operation, std::vector<std::string>& falls,
                       std::size_t& seen) const {
  const auto size = seconds_.size();
  const auto halves = [&](std::size_t length) {
    return std::pair(sum(operation, size - 2 * length, size - length),
                     sum(operation, size - length, size));
  };
  const auto longest = std::min(size / 2, kLongest);
  for (auto length = kShortest; length <= longest; ++length) {
    const auto [before, after] = halves(length);
    if (std::min(before.count(), after.count()) < kSamplesOfEach) continue;
    ++seen;
    auto fall = fall_between(before, after);
    if (!fall) {
      const auto [earlier, later] = halves(std::max(length, std::min(longest, kSecondScale)));
      fall = fall_between(earlier, later);
    }
    if (fall) {
      falls.push_back(fmt::format("{}: {} from {} to {} ms", names_[operation], fall->figure,
                                  ms_text(fall->before_us), ms_text(fall->after_us)));
    }
    return true;
  }
  const auto so_far = static_cast<double>(sum(operation, 0, size).count());
  const double comes = so_far / static_cast<double>(size) * static_cast<double>(kLongest);
  return comes < static_cast<double>(kSamplesOfEach) || size == 2 * kLongest;
}

/// Work that has waited since earlier is done faster than new work comes.
bool Settling::backlog_shrinks() const {
  const auto size = seconds_.size();
  double done = 0;
  for (const auto& each : seconds_.back()) done += static_cast<double>(each.count());
  const auto now = static_cast<double>(queued_.back());
  return now > std::max(kBacklogMin, kBacklogSeconds * done) &&
         queued_.back() < queued_[size - 1 - kShortest];
}

void Settling::judge() {
  settled_ = false;
  text_ = "It was too short to compare service times.";
  if (seconds_.size() < 2 * kShortest) return;
  std::vector<std::string> falls;
  std::size_t seen = 0;
  bool enough = true;
  for (std::size_t i = 0; i < names_.size(); ++i) enough = look_at(i, falls, seen) && enough;
  if (!falls.empty()) {
    text_ = fmt::format("Service times still fell ({}{}).", falls.front(),
                        falls.size() > 1 ? fmt::format(", and {} more", falls.size() - 1) : "");
    return;
  }
  if (backlog_shrinks()) {
    text_ = fmt::format("{} operations still waited for a connection.", queued_.back());
    return;
  }
  if (!enough) {
    text_ = "There were too few operations to compare their service times.";
    return;
  }
  settled_ = true;
  text_ = seen > 0
              ? fmt::format("The service times of {} operation{} no longer fell.", seen,
                            seen == 1 ? "" : "s")
              : std::string("Operations came too rarely to see whether their service times fell.");
}

}  // namespace pantryd::loadgen
