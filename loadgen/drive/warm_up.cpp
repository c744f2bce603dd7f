// Invariant: measure_from_ns_ is limit_ns_ until decided_, and then a whole second below it.
#include "loadgen/drive/warm_up.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kWholeSecondNs = 1'000'000'000;
constexpr std::int64_t kNoticeNs = 150'000'000;  // reactors look at least every 100 ms

std::vector<std::string> names_of(const Workload& workload) {
  std::vector<std::string> out;
  for (const auto& each : workload.operations) out.push_back(each.name);
  return out;
}

}  // namespace

WarmUp::WarmUp(const LoadOptions& options)
    : until_steady_(options.warm_until_steady),
      limit_ns_(std::chrono::nanoseconds(options.warmup).count()),
      open_loop_(options.rate_per_s.has_value()),
      measure_from_ns_(limit_ns_),
      settling_(names_of(options.workload)),
      blocks_(options.workload.operations.size()) {}

void WarmUp::see(const WindowPart& second) {
  if (second.phase == Phase::measured) {
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      blocks_[i].add(second.second, second.operations[i].service);
    }
  }
  if (second.phase != Phase::warmup || !until_steady_ || decided_) return;
  std::vector<ServiceSketch> seen(second.operations.size());
  for (std::size_t i = 0; i < seen.size(); ++i) seen[i].add(second.operations[i].service);
  settling_.add(std::move(seen), open_loop_ ? second.queued : 0);
  if (settling_.settled()) decide();
}

void WarmUp::decide() {
  const auto now = std::chrono::nanoseconds(SteadyClock::now() - start_).count();
  const auto from = (now + kNoticeNs + kWholeSecondNs - 1) / kWholeSecondNs * kWholeSecondNs;
  if (from >= limit_ns_) return;
  decided_ = true;
  measure_from_ns_.store(from, std::memory_order_release);
}

WarmUpFacts WarmUp::facts() const {
  WarmUpFacts out;
  out.until_steady = until_steady_;
  out.limit_s = static_cast<double>(limit_ns_) * 1e-9;
  out.lasted_s = static_cast<double>(measure_from_ns()) * 1e-9;
  if (!until_steady_) return out;
  out.limit_reached = !settling_.settled();
  out.text = settling_.text();
  return out;
}

}  // namespace pantryd::loadgen
