// Many threads that begin together: their stacks are small, so that ten thousand fit.
#pragma once

#include <pthread.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace pantryd::bench {

enum class Phase : int { waiting, warm_up, steady, over };

class Crew {
 public:
  /// Each thread runs `work` once the phase is no longer `waiting`; it has to end when it is over.
  Crew(int count, std::function<void()> work) : work_(std::move(work)) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    int code = 0;
    for (int i = 0; i < count && code == 0; ++i) {
      pthread_t thread{};
      code = pthread_create(&thread, &attributes, &Crew::run, this);
      if (code == 0) threads_.push_back(thread);
    }
    pthread_attr_destroy(&attributes);
    if (code == 0) return;
    end();
    throw Error(ExitCode::failed, "cannot start " + std::to_string(count) + " threads",
                "Raise ulimit -u and kernel.threads-max.");
  }
  ~Crew() { end(); }
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void enter(Phase phase) {
    phase_ = phase;
    phase_.notify_all();
  }
  [[nodiscard]] Phase phase() const { return phase_.load(std::memory_order_relaxed); }

  /// Until the last one has finished what it was at.
  void end() {
    enter(Phase::over);
    for (const auto thread : threads_) pthread_join(thread, nullptr);
    threads_.clear();
  }

 private:
  static constexpr std::size_t kStackBytes = 128UL * 1024;

  static void* run(void* self) {
    auto& crew = *static_cast<Crew*>(self);
    crew.phase_.wait(Phase::waiting);
    crew.work_();
    return nullptr;
  }

  std::function<void()> work_;
  std::atomic<Phase> phase_{Phase::waiting};
  std::vector<pthread_t> threads_;
};

}  // namespace pantryd::bench
