// A load generator that does not get its processor must say INVALID, every time; and one that does
// must not. The SLO of these runs is kept by any server, so without the self-check each is a PASS.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "base/deadline.h"
#include "tests/support/load_child.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using std::chrono::milliseconds;

constexpr auto kPatience = 60s;
constexpr int kRuns = 20;
constexpr int kLanes = 4;  // a stopped process does not disturb its neighbours
constexpr auto kDuration = 5s;

/// A processor group of our own, of either version; none where the machine does not allow it.
class Quota {
 public:
  Quota() {
    const auto name = fmt::format("pantryd-test-{}", ::getpid());
    for (const std::filesystem::path mount : {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup"}) {
      std::error_code error;
      const auto folder = mount / name;
      if (!std::filesystem::exists(mount / "cgroup.procs", error)) continue;
      if (!std::filesystem::create_directory(folder, error)) continue;
      folder_ = folder;
      if (limit(-1ms)) return;
      std::filesystem::remove(folder, error);
      folder_.clear();
    }
  }
  ~Quota() {
    // rmdir(2), since what is in there are not files.
    if (there()) (void)within(10s, [this] { return ::rmdir(folder_.c_str()) == 0; });
  }
  Quota(const Quota&) = delete;
  Quota& operator=(const Quota&) = delete;
  [[nodiscard]] bool there() const { return !folder_.empty(); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  /// So much processor time each 100 ms; negative: no limit. False when it cannot be set.
  [[nodiscard]] bool limit(milliseconds quota) const {
    const auto us = quota.count() * 1000;
    if (std::filesystem::exists(folder_ / "cpu.max")) {
      std::ofstream file(folder_ / "cpu.max");
      file << (us < 0 ? "max" : std::to_string(us)) << " 100000" << std::flush;
      return file.good();
    }
    if (!std::filesystem::exists(folder_ / "cpu.cfs_quota_us")) return false;
    std::ofstream file(folder_ / "cpu.cfs_quota_us");
    file << (us < 0 ? -1 : us) << std::flush;
    return file.good();
  }

 private:
  std::filesystem::path folder_;
};

void stop_for(pid_t pid, milliseconds length) {
  ::kill(pid, SIGSTOP);
  std::this_thread::sleep_for(length);
  ::kill(pid, SIGCONT);
}

struct Outcome {
  std::string how;
  std::string verdict = "no result";
  std::vector<std::string> findings;
  std::string output;
};

/// `starve` is called when the measured part has just begun; what is left of it when the starving
/// is over is a margin for a test that is late itself.
template <typename Starve>
Outcome starved(std::string how, const LoadChildOptions& options, Starve starve) {
  LoadChild child(shared_sandbox().primary(), scratch_dir(), options);
  Outcome out;
  out.how = std::move(how);
  const bool began = child.wait_until_measuring(kPatience);
  if (began) starve(child);
  const auto result = child.result(kPatience);
  out.output = child.output();
  if (!result.is_null() && began) {
    out.verdict = result["verdict"];
    out.findings = findings_of(result);
  }
  return out;
}

Outcome stopped_once(int run) {
  std::mt19937 random(static_cast<unsigned>(run));
  const milliseconds after(std::uniform_int_distribution<int>(0, 1500)(random));
  const milliseconds length(std::uniform_int_distribution<int>(300, 700)(random));
  LoadChildOptions options;
  options.duration = kDuration;
  return starved(fmt::format("stopped after {} ms for {} ms", after.count(), length.count()),
                 options, [&](LoadChild& child) {
                   std::this_thread::sleep_for(after);
                   stop_for(child.pid(), length);
                 });
}

/// As a quota does it, where no quota can be set: a tenth of the processor, in slices.
Outcome stopped_in_slices(int run) {
  std::mt19937 random(static_cast<unsigned>(run));
  const milliseconds slice(std::uniform_int_distribution<int>(40, 90)(random));
  LoadChildOptions options;
  options.duration = kDuration;
  return starved(fmt::format("stopped {} ms of each 100", slice.count()), options,
                 [&](LoadChild& child) {
                   for (int i = 0; i < 20; ++i) {
                     stop_for(child.pid(), slice);
                     std::this_thread::sleep_for(100ms - slice);
                   }
                 });
}

Outcome throttled(const Quota& quota) {
  LoadChildOptions options;
  options.duration = kDuration;
  options.cgroup = quota.folder();
  options.rate = "1000";  // needs three times what the quota leaves it
  return starved("throttled to 1 % of a processor", options, [&](LoadChild&) {
    EXPECT_TRUE(quota.limit(1ms));
    std::this_thread::sleep_for(2500ms);
    EXPECT_TRUE(quota.limit(-1ms));
  });
}

TEST(LoadStarvedTest, AStarvedClientIsInvalidTwentyTimesOfTwenty) {
  (void)shared_sandbox();
  std::mutex mutex;
  std::vector<Outcome> outcomes;
  std::atomic<int> next{0};
  std::vector<std::thread> lanes;
  for (int lane = 0; lane < kLanes; ++lane) {
    lanes.emplace_back([&] {
      for (int run = next.fetch_add(1); run < kRuns; run = next.fetch_add(1)) {
        auto outcome = run % 2 == 0 ? stopped_once(run) : stopped_in_slices(run);
        const std::lock_guard lock(mutex);
        outcomes.push_back(std::move(outcome));
      }
    });
  }
  for (auto& lane : lanes) lane.join();
  for (const auto& each : outcomes) {
    EXPECT_EQ(each.verdict, "INVALID") << each.how << "\n" << each.output;
    EXPECT_THAT(each.findings, testing::Contains(testing::AnyOf("stood_still", "stalls")))
        << each.how << "\n"
        << each.output;
  }
  EXPECT_EQ(outcomes.size(), static_cast<std::size_t>(kRuns));
}

TEST(LoadStarvedTest, AThrottledGroupIsInvalidWhereTheMachineHasGroups) {
  (void)shared_sandbox();
  const Quota quota;
  for (int run = 0; run < 5; ++run) {
    // Without groups of our own there is nothing to throttle: the slices stand for it.
    const auto outcome = quota.there() ? throttled(quota) : stopped_in_slices(100 + run);
    EXPECT_EQ(outcome.verdict, "INVALID") << outcome.how << "\n" << outcome.output;
    if (quota.there()) {
      EXPECT_THAT(outcome.findings, testing::Contains("throttled")) << outcome.output;
    }
  }
}

/// Wakes up every millisecond beside the load, in the class of its reactor, and tells how late it
/// was at worst: what the machine did to it, it may have done to the load.
class Witness {
 public:
  Witness()
      : thread_([this] {
          sched_param parameters{};
          parameters.sched_priority = 1;
          if (::sched_setscheduler(::gettid(), SCHED_RR, &parameters) != 0) {
            ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), -10);
          }
          while (!done_) {
            const auto due = SteadyClock::now() + 1ms;
            std::this_thread::sleep_until(due);
            worst_ = std::max(worst_, SteadyClock::now() - due);
          }
        }) {}
  ~Witness() {
    if (thread_.joinable()) thread_.join();
  }
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  [[nodiscard]] milliseconds worst() {
    done_ = true;
    thread_.join();
    return std::chrono::duration_cast<milliseconds>(worst_);
  }

 private:
  std::atomic<bool> done_{false};
  SteadyClock::duration worst_{0};
  std::thread thread_;
};

/// The control. Where the machine itself starves everybody, INVALID is right: then the witness must
/// have seen it, too, and another try is made.
TEST(LoadStarvedTest, AnUndisturbedClientIsNotInvalidUnlessAWitnessWasStarvedAsWell) {
  (void)shared_sandbox();
  constexpr int kTries = 5;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    LoadChildOptions options;
    options.duration = 3s;
    Witness witness;
    LoadChild child(shared_sandbox().primary(), scratch_dir(), options);
    const auto result = child.result(kPatience);
    const auto worst = witness.worst();
    ASSERT_FALSE(result.is_null()) << child.output();
    EXPECT_GT(result["completed"].get<int>(), 300);
    if (result["verdict"] != "INVALID") return;
    for (const auto& code : findings_of(result)) {
      if (code == "steal") continue;  // the hypervisor's, and no thread of ours need have met it
      EXPECT_THAT(code, testing::AnyOf("start_lag", "take_over_lag", "stalls", "stood_still",
                                       "arrivals", "gaps"))
          << child.output();
      EXPECT_GT(worst, 10ms) << code << ": nobody else was late\n" << child.output();
    }
  }
}

}  // namespace
}  // namespace pantryd
