// The throughput of the grocery workload against a count that is not ours: each operation ends with
// one statement more, and pg_stat_statements says how often that one was executed in the window.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/shop.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing_support::shared_sandbox;

constexpr auto kLimit = 30s;
constexpr const char* kLast = "SELECT 1 AS operation_ended";

pg::Connection connect() {
  return pg::Connection::connect(shared_sandbox().primary(), Deadline::in(kLimit));
}

/// Every operation of the grocery, with the statement that is counted behind its last one.
Workload counted_grocery() {
  auto out = load_workload("grocery");
  const auto statement = static_cast<int>(out.statements.size());
  out.statements.emplace_back(kLast);
  out.statement_lines.push_back(0);
  for (auto& operation : out.operations) {
    Step step;
    step.sql = kLast;
    step.statement = statement;
    step.starts_batch = true;
    operation.steps.push_back(step);
  }
  return out;
}

LoadOptions load() {
  LoadOptions options;
  options.workload = counted_grocery();
  options.connections = 4;
  options.users = 4;
  options.warmup = 2s;
  options.duration = 5s;
  options.drain_limit = 2s;
  return options;
}

/// Reads the server's count twenty times a second.
class Counter {
 public:
  Counter() : connection_(connect()), thread_([this] { run(); }) {}
  ~Counter() { stop(); }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  void stop() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
  }
  /// The count at this moment, between the two looks around it. After stop().
  [[nodiscard]] double at(SteadyClock::time_point when) const {
    for (std::size_t i = 1; i < looks_.size(); ++i) {
      const auto& [before, from] = looks_[i - 1];
      const auto& [after, to] = looks_[i];
      if (when < before || when > after) continue;
      const double part = std::chrono::duration<double>(when - before) / (after - before);
      return from + part * (to - from);
    }
    ADD_FAILURE() << "nobody looked then";
    return 0;
  }

 private:
  void run() {
    while (!over_) {
      const auto calls = connection_.exec(
          "SELECT coalesce(sum(calls), 0)::int8 FROM pg_stat_statements WHERE query LIKE "
          "'%AS operation_ended'",
          Deadline::in(kLimit));
      looks_.emplace_back(SteadyClock::now(), static_cast<double>(calls.i64(0, 0)));
      std::this_thread::sleep_for(50ms);
    }
  }

  pg::Connection connection_;
  std::vector<std::pair<SteadyClock::time_point, double>> looks_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

TEST(LoadCountTest, TheGroceryAtTwiceItsClosedLoopIsCountedAsTheServerCountsIt) {
  testing_support::seed_shop(shared_sandbox().primary());
  auto options = load();
  const auto closed = run_and_judge(shared_sandbox().primary(), options);
  ASSERT_GT(closed.completed_per_s(), 10) << to_text(closed);
  options.users = 10'000;
  // Other work of the machine may have slowed the closed loop down; then twice as much is no
  // overload, and the load is offered again at the double.
  for (double times = 2; times <= 8; times *= 2) {
    options.rate_per_s = times * closed.completed_per_s();
    Counter counter;
    const auto began = SteadyClock::now();
    const auto result = run_and_judge(shared_sandbox().primary(), options);
    counter.stop();
    const auto from = began + std::chrono::duration_cast<SteadyClock::duration>(
                                  std::chrono::duration<double>(result.setup_s) + options.warmup);
    const double counted = (counter.at(from + options.duration) - counter.at(from)) / 5;
    EXPECT_NEAR(result.completed_per_s(), counted, 0.02 * counted) << to_text(result);
    if (result.completed_per_s() > 0.8 * *options.rate_per_s) continue;
    EXPECT_NE(result.verdict, Verdict::pass);
    return;
  }
  ADD_FAILURE() << "there was no overload";
}

}  // namespace
}  // namespace pantryd::loadgen
