// Seconds of a run: what each reactor saw in one, added up over the reactors by a thread of its
// own. The reactors only count; percentiles, text and files are made where nobody is kept waiting.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "loadgen/result/histogram.h"
#include "loadgen/result/totals.h"

namespace pantryd::loadgen {

/// One reactor's counts of a second. `second` and the counts as in Window.
struct WindowPart {
  struct Operation {
    std::int64_t offered = 0, completed = 0, refused = 0, empty = 0, errors = 0;
    Histogram response, service;  ///< of what was completed or refused
  };
  /// Windows of a run in order.
  using Key = std::pair<Phase, std::int64_t>;
  explicit WindowPart(std::size_t count) : operations(count) {}
  void add(const WindowPart& other);  ///< of the same second
  void clear();
  [[nodiscard]] Key key() const { return {phase, second}; }

  Phase phase = Phase::measured;
  std::int64_t second = 0;
  std::int64_t queued = 0, running = 0, connections = 0;  ///< at its end
  std::vector<Operation> operations;
};

/// What the person sees while it runs.
struct LiveState {
  std::int64_t second = 0;                              ///< as in Window
  std::int64_t offered = 0, completed = 0, errors = 0;  ///< in the last whole second
  std::int64_t p99_us = 0;
  std::int64_t queued = 0, running = 0, connections = 0;
};

/// More seconds than a run can have; the windows beyond it are not kept.
inline constexpr std::size_t kWindowsMax = 8 * 86'400;

class WindowCollector {
 public:
  /// Called by the collector's thread for each second, in order, added up over all reactors.
  using Each = std::function<void(const WindowPart&)>;

  WindowCollector(std::size_t reactors, std::size_t operations, Each each = {});
  ~WindowCollector();  ///< finish()
  WindowCollector(const WindowCollector&) = delete;
  WindowCollector& operator=(const WindowCollector&) = delete;

  /// For a reactor, once at its start.
  [[nodiscard]] std::unique_ptr<WindowPart> take();
  /// Hands a second over and leaves an empty part in its place. False, and nothing has changed,
  /// when the thread is so far behind that no part is free: then the reactor goes on with the same,
  /// whose second is the last of those that it covers. Never waits for more than a lock held for
  /// moments.
  [[nodiscard]] bool hand_over(std::unique_ptr<WindowPart>& part);
  /// The same at the end of a phase, where the counts of two phases would be mixed: makes one part
  /// more when none is free. A reactor may do so twice.
  void hand_over_phase(std::unique_ptr<WindowPart>& part);
  /// The last one of a reactor: the seconds after it do not wait for this one any more.
  void hand_over_last(std::unique_ptr<WindowPart> part);

  /// Ends the thread when all is written. After that the windows are whole.
  void finish();
  [[nodiscard]] std::vector<Window> take_windows() { return std::move(windows_); }
  [[nodiscard]] LiveState live() const;  ///< thread-safe

 private:
  struct Second {
    std::unique_ptr<WindowPart> sum;
    std::size_t reactors = 0;
  };
  void work();
  void keep(std::unique_ptr<WindowPart> part);
  void emit_whole(const std::vector<WindowPart::Key>& gone_after, bool all);
  void emit(const WindowPart& sum);

  const std::size_t reactors_;
  const std::size_t operations_;
  const Each each_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<WindowPart>> full_, free_;
  std::size_t with_reactors_ = 0;            ///< parts that are being filled
  std::size_t made_ = 0;                     ///< parts that exist
  std::vector<WindowPart::Key> gone_after_;  ///< the last second of each that is done
  bool finished_ = false;
  LiveState live_;
  // Of the thread alone, until it has ended:
  std::map<WindowPart::Key, Second> seconds_;
  std::vector<Window> windows_;
  std::thread thread_;
};

}  // namespace pantryd::loadgen
