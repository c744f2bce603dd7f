// Invariants, under mutex_ and between two rounds of the thread: every part is in exactly one place
// (full_, free_, seconds_, or with its reactor), and made_ counts them. There are kPartsPerReactor
// for each reactor, and one more at the end of a phase, so memory does not grow with the run.
#include "loadgen/result/windows.h"

#include <algorithm>

#include "base/assert.h"

namespace pantryd::loadgen {
namespace {

/// One that is being filled, two on their way, and one in the sum.
constexpr std::size_t kPartsPerReactor = 4;
constexpr std::size_t kPhaseEnds = 2;  // of the warm-up, and of the measured window

}  // namespace

void WindowPart::add(const WindowPart& other) {
  queued += other.queued;
  running += other.running;
  connections += other.connections;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    auto& mine = operations[i];
    const auto& theirs = other.operations[i];
    mine.offered += theirs.offered;
    mine.completed += theirs.completed;
    mine.refused += theirs.refused;
    mine.empty += theirs.empty;
    mine.errors += theirs.errors;
    mine.response.merge(theirs.response);
    mine.service.merge(theirs.service);
  }
}

void WindowPart::clear() {
  phase = Phase::measured;
  second = queued = running = connections = 0;
  for (auto& each : operations) {
    each.offered = each.completed = each.refused = each.empty = each.errors = 0;
    each.response.clear();
    each.service.clear();
  }
}

WindowCollector::WindowCollector(std::size_t reactors, std::size_t operations, Each each)
    : reactors_(reactors), operations_(operations), each_(std::move(each)) {
  for (std::size_t i = 0; i < reactors * kPartsPerReactor; ++i) {
    free_.push_back(std::make_unique<WindowPart>(operations));
  }
  made_ = free_.size();
  full_.reserve(free_.size() + reactors * kPhaseEnds);
  thread_ = std::thread([this] { work(); });
}

WindowCollector::~WindowCollector() {
  finish();
}

void WindowCollector::finish() {
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<WindowPart> WindowCollector::take() {
  const std::lock_guard lock(mutex_);
  PANTRYD_ASSERT(with_reactors_ < reactors_ && !free_.empty());
  auto part = std::move(free_.back());
  free_.pop_back();
  ++with_reactors_;
  return part;
}

bool WindowCollector::hand_over(std::unique_ptr<WindowPart>& part) {
  {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return false;
    full_.push_back(std::move(part));
    part = std::move(free_.back());
    free_.pop_back();
  }
  changed_.notify_one();
  return true;
}

void WindowCollector::hand_over_phase(std::unique_ptr<WindowPart>& part) {
  {
    const std::lock_guard lock(mutex_);
    full_.push_back(std::move(part));
    if (free_.empty()) {
      PANTRYD_ASSERT(made_ < reactors_ * (kPartsPerReactor + kPhaseEnds));
      part = std::make_unique<WindowPart>(operations_);
      ++made_;
    } else {
      part = std::move(free_.back());
      free_.pop_back();
    }
  }
  changed_.notify_one();
}

void WindowCollector::hand_over_last(std::unique_ptr<WindowPart> part) {
  {
    const std::lock_guard lock(mutex_);
    PANTRYD_ASSERT(with_reactors_ > 0);
    --with_reactors_;
    gone_after_.push_back(part->key());
    full_.push_back(std::move(part));
  }
  changed_.notify_one();
}

LiveState WindowCollector::live() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

void WindowCollector::work() {
  std::vector<std::unique_ptr<WindowPart>> taken;
  for (bool last = false; !last;) {
    std::vector<WindowPart::Key> gone_after;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !full_.empty() || finished_; });
      std::swap(taken, full_);
      last = finished_;
      gone_after = gone_after_;
    }
    for (auto& part : taken) keep(std::move(part));
    taken.clear();
    emit_whole(gone_after, last);
    const std::lock_guard lock(mutex_);
    PANTRYD_ASSERT(full_.size() + free_.size() + seconds_.size() + with_reactors_ == made_);
  }
}

/// Emits the seconds that no reactor adds to any more, in order, and frees their parts.
void WindowCollector::emit_whole(const std::vector<WindowPart::Key>& gone_after, bool all) {
  while (!seconds_.empty()) {
    const auto first = seconds_.begin();
    // Every reactor has been there, or is already beyond it, or was gone before.
    const auto is_whole = [&](const auto& each) {
      const auto gone =
          std::count_if(gone_after.begin(), gone_after.end(),
                        [&](const WindowPart::Key& after) { return after < each.first; });
      return each.second.reactors + static_cast<std::size_t>(gone) >= reactors_;
    };
    if (!all && std::none_of(first, seconds_.end(), is_whole)) return;
    emit(*first->second.sum);
    first->second.sum->clear();
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(first->second.sum));
    }
    seconds_.erase(first);
  }
}

void WindowCollector::keep(std::unique_ptr<WindowPart> part) {
  auto& second = seconds_[part->key()];
  ++second.reactors;
  if (!second.sum) {
    second.sum = std::move(part);
    return;
  }
  second.sum->add(*part);
  part->clear();
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(part));
}

void WindowCollector::emit(const WindowPart& sum) {
  Window window;
  window.phase = sum.phase;
  window.second = sum.second;
  window.queued = sum.queued;
  window.running = sum.running;
  Histogram all;
  for (const auto& each : sum.operations) {
    window.offered += each.offered;
    window.completed += each.completed;
    window.refused += each.refused;
    window.empty += each.empty;
    window.errors += each.errors;
    all.merge(each.response);
  }
  window.p99_us = all.quantile_us(0.99);
  if (windows_.size() < kWindowsMax) windows_.push_back(window);
  if (each_) each_(sum);
  const std::lock_guard lock(mutex_);
  live_ = {window.second, window.offered, window.completed, window.errors,
           window.p99_us, sum.queued,     sum.running,      sum.connections};
}

}  // namespace pantryd::loadgen
