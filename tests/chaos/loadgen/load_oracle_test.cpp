// The load generator against theory: a server that stands still for a measured time, and queues
// whose waiting times are known. Bounds follow from what was measured, so that a slow machine moves
// them too.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <future>
#include <numeric>
#include <thread>

#include "base/file.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing_support::shared_sandbox;

double seconds(SteadyClock::duration time) {
  return std::chrono::duration<double>(time).count();
}

/// The postmaster first, so that it makes no more of them.
std::vector<pid_t> processes_of_the_primary() {
  const auto postmaster = Sandbox::status(shared_sandbox().dir()).primary_pid.value();
  std::vector<pid_t> out{postmaster};
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto stat = try_read_file(entry.path() / "stat");
    if (!stat) continue;
    int parent = 0;
    const auto after = stat->rfind(')');
    if (after != std::string::npos &&
        std::sscanf(stat->c_str() + after, ") %*c %d", &parent) == 1 && parent == postmaster) {
      out.push_back(std::stoi(name));
    }
  }
  return out;
}

/// How long the server stood still: at least, at most.
struct Stall {
  double least_s, most_s;
};

Stall freeze(std::chrono::milliseconds time) {
  const auto began = SteadyClock::now();
  const auto processes = processes_of_the_primary();
  for (const auto pid : processes) ::kill(pid, SIGSTOP);
  const auto frozen = SteadyClock::now();
  std::this_thread::sleep_for(time);
  const auto thaws = SteadyClock::now();
  for (const auto pid : processes) ::kill(pid, SIGCONT);
  return {seconds(thaws - frozen), seconds(SteadyClock::now() - began)};
}

Workload workload_of(const std::string& step) {
  return parse_workload(
      "version: 1\nname: w\noperations:\n  - name: a\n    weight: 1\n    steps: [" + step + "]\n",
      "w.yaml");
}

constexpr auto kRun = 20s;
constexpr auto kStall = 1500ms;

struct Frozen {
  LoadResult result;
  Stall stall;
};

Frozen run_and_freeze(std::optional<double> rate_per_s) {
  LoadOptions options;
  options.workload = workload_of("{sql: SELECT 1}");
  options.rate_per_s = rate_per_s;
  options.connections = 16;
  options.users = rate_per_s ? 10'000 : 16;
  options.duration = kRun;
  options.warmup = 1s;
  std::atomic<std::int64_t> second{-1};
  auto running = std::async(std::launch::async, [&] {
    return run_and_judge(shared_sandbox().primary(), options,
                         [&second](const LiveState& live) { second = live.second; });
  });
  for (const auto limit = Deadline::in(60s); second < 7 && !limit.expired();) {
    std::this_thread::sleep_for(10ms);
  }
  const auto stall = freeze(kStall);
  return {running.get(), stall};
}

/// Of arrivals at an even rate over T, s/T fall into a stall of s and wait for what is left of it:
/// P(wait > x) = (s/T) (1 - x/s), so the wait of one in a hundred is s - T/100.
double p99_of_stall_s(double stall_s) {
  return stall_s - 0.01 * seconds(kRun);
}

TEST(LoadOracleTest, AnOpenLoopTellsAStallAsEverybodyWhoCameSawIt) {
  (void)shared_sandbox();
  const auto [result, stall] = run_and_freeze(500);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  const auto& response = result.operations[0].totals.response;
  const double p99_s = static_cast<double>(response.quantile_us(0.99)) / 1e6;
  EXPECT_GE(p99_s, 0.9 * p99_of_stall_s(stall.least_s)) << to_text(result);
  EXPECT_LE(p99_s, 1.1 * p99_of_stall_s(stall.most_s)) << to_text(result);
  EXPECT_GE(static_cast<double>(response.max_us()) / 1e6, 0.9 * stall.least_s);
  fmt::print("stall {:.3f} to {:.3f} s, p99 {:.3f} s, theory {:.3f} to {:.3f} s\n", stall.least_s,
             stall.most_s, p99_s, p99_of_stall_s(stall.least_s), p99_of_stall_s(stall.most_s));
}

/// The control: the same stall, and a client that waits for its answers hides it.
TEST(LoadOracleTest, AClosedLoopHidesTheSameStall) {
  const auto [result, stall] = run_and_freeze(std::nullopt);
  const auto& response = result.operations[0].totals.response;
  const double p99_s = static_cast<double>(response.quantile_us(0.99)) / 1e6;
  ASSERT_GT(response.count(), 5'000);
  EXPECT_LT(p99_s, stall.least_s / 5) << to_text(result);
  EXPECT_GE(static_cast<double>(response.max_us()) / 1e6, 0.9 * stall.least_s);
  fmt::print("stall {:.3f} s, p99 {:.4f} s\n", stall.least_s, p99_s);
}

/// The chance to wait at all with c servers and `load` = rate x service time (Erlang C).
double erlang_c(int servers, double load) {
  double blocked = 1;  // Erlang B, by its recursion
  for (int i = 1; i <= servers; ++i) blocked = load * blocked / (i + load * blocked);
  const double share = load / servers;
  return blocked / (1 - share * (1 - blocked));
}

struct QueueRun {
  double wait_ms, theory_wait_ms;
  double waited, theory_waited;  ///< share that waited for longer than kNoticeable
};

constexpr double kNoticeableMs = 5;

QueueRun run_queue(int servers, double rate_per_s, std::uint64_t seed) {
  LoadOptions options;
  options.workload =
      workload_of("{sql: 'SELECT pg_sleep($1::float8)', params: [{exponential: 0.02}]}");
  options.rate_per_s = rate_per_s;
  options.connections = servers;
  options.users = 100'000;
  options.duration = 6s;
  options.warmup = 1s;
  options.seed = seed;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  const auto& totals = result.operations[0].totals;
  // By the rate and the service time that were: pg_sleep() rounds up to a millisecond, and a busy
  // machine adds its own.
  const double service_s = totals.service.mean_us() / 1e6;
  const double rate = static_cast<double>(result.offered()) / result.totals.client.measured_s;
  const double chance = erlang_c(servers, rate * service_s);
  const double drain = servers / service_s - rate;
  QueueRun out{};
  out.wait_ms = totals.wait.mean_us() / 1e3;
  out.theory_wait_ms = 1e3 * chance / drain;
  out.waited = static_cast<double>(
                   totals.wait.count_above(static_cast<std::int64_t>(1000 * kNoticeableMs))) /
               static_cast<double>(totals.wait.count());
  out.theory_waited = chance * std::exp(-drain * kNoticeableMs / 1e3);
  return out;
}

/// Two-sided 99.9 % of Student's t for so many runs, less one degree of freedom.
struct Round {
  std::size_t runs;
  double student;
};
constexpr std::array<Round, 3> kRounds{{{8, 5.41}, {16, 4.07}, {24, 3.77}}};

/// What was measured beside what theory says, a run each.
class Comparison {
 public:
  void add(double measured, double theory) {
    differences_.push_back(measured - theory);
    theory_sum_ += theory;
  }
  [[nodiscard]] double expected() const { return theory_sum_ / count(); }
  [[nodiscard]] double mean() const {
    return std::accumulate(differences_.begin(), differences_.end(), 0.0) / count();
  }
  /// Half of the confidence interval of the mean difference.
  [[nodiscard]] double half(double student) const {
    double squares = 0;
    for (const auto each : differences_) squares += std::pow(each - mean(), 2);
    return student * std::sqrt(squares / (count() - 1) / count());
  }
  /// A test that is passed by anything says nothing.
  [[nodiscard]] bool tells(double student) const { return half(student) < 0.8 * expected(); }

 private:
  [[nodiscard]] double count() const { return static_cast<double>(differences_.size()); }
  std::vector<double> differences_;
  double theory_sum_ = 0;
};

/// The difference is 0, or within a tenth of what it is the difference from.
void expect_no_difference(const Comparison& seen, double student, const std::string& what) {
  const double half = seen.half(student);
  EXPECT_LE(std::abs(seen.mean()), half + 0.1 * seen.expected()) << what;
  EXPECT_TRUE(seen.tells(student)) << what << ": too noisy to say";
  fmt::print("{}: measured {:.4f}, theory {:.4f}, +-{:.4f}\n", what, seen.expected() + seen.mean(),
             seen.expected(), half);
}

// On a machine that others use too eight runs may say nothing; then there are more.
TEST(LoadOracleTest, TheWaitForAConnectionIsThatOfErlang) {
  constexpr int kServers = 4;
  constexpr double kRate = 130;  // of 200 that the servers could do
  Comparison wait;
  Comparison waited;
  std::uint64_t seed = 0;
  double student = 0;
  for (const auto& round : kRounds) {
    student = round.student;
    while (seed < round.runs) {
      const auto run = run_queue(kServers, kRate, ++seed);
      wait.add(run.wait_ms, run.theory_wait_ms);
      waited.add(run.waited, run.theory_waited);
    }
    if (wait.tells(student) && waited.tells(student)) break;
  }
  fmt::print("{} runs\n", seed);
  expect_no_difference(wait, student, "mean wait in ms");
  expect_no_difference(waited, student, "share that waited");
}

}  // namespace
}  // namespace pantryd::loadgen
