// Warm-up and steady state against a server whose service times a sequence decides: the first calls
// are slow and the later ones are not, as those of sessions that map shared memory in. The story:
// the same rate on the same server gave a p99 of 653 ms and of 54 ms, by the warm-up alone.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "loadgen/judge/judged_run.h"
#include "loadgen/judge/unsteady.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/sessions.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::connect;
using testing_support::shared_sandbox;
using testing_support::soon;

/// Call number n takes `base_ms`, and `more_ms` more that shrink to nothing over `calls` calls.
void make_server(int base_ms, int more_ms, int calls) {
  connect().exec_script(
      fmt::format("DROP SEQUENCE IF EXISTS calls CASCADE; CREATE SEQUENCE calls CACHE 1;"
                  "CREATE OR REPLACE FUNCTION work() RETURNS void LANGUAGE sql AS $$ SELECT "
                  "pg_sleep(({} + {} * greatest(0, 1 - nextval('calls') / {}.0)) / 1000) $$",
                  base_ms, more_ms, calls),
      soon());
}

LoadOptions load_of(double rate_per_s, std::int64_t connections) {
  LoadOptions options;
  options.workload = parse_workload(
      "version: 1\nname: w\noperations:\n  - name: work\n    weight: 1\n    slo: {p99: 100ms}\n"
      "    steps: [{sql: 'SELECT work()'}]\n",
      "w.yaml");
  options.rate_per_s = rate_per_s;
  options.connections = connections;
  options.users = 10'000;
  options.duration = 6s;
  options.warmup = 0s;
  options.drain_limit = 5s;
  return options;
}

LoadResult run(const LoadOptions& options) {
  return run_and_judge(shared_sandbox().primary(), options);
}

/// A run that a busy machine made INVALID is that; its window is unsteady all the same.
void expect_unsteady(const LoadResult& result, const std::string& why) {
  EXPECT_THAT(unsteady_reason(result), HasSubstr(why)) << to_text(result);
  if (result.verdict == Verdict::invalid) return;
  EXPECT_EQ(result.verdict, Verdict::inconclusive) << to_text(result);
  EXPECT_EQ(result.reason, Reason::unsteady) << to_text(result);
}

TEST(LoadUnsteadyTest, AServerThatIsWarmIsSteadyAndItsWarmUpShort) {
  make_server(5, 0, 1);
  auto options = load_of(100, 20);
  options.warm_until_steady = true;
  options.warmup = 60s;
  const auto result = run(options);
  EXPECT_THAT(unsteady_reason(result), IsEmpty()) << to_text(result);
  EXPECT_NE(result.reason, Reason::unsteady);
  EXPECT_FALSE(result.warm_up.limit_reached) << result.warm_up.text;
  EXPECT_GE(result.warm_up.lasted_s, 4);
  EXPECT_LE(result.warm_up.lasted_s, 20) << result.warm_up.text;
  EXPECT_NEAR(result.totals.client.measured_s, 6, 0.01);
  EXPECT_NEAR(static_cast<double>(result.offered()), 600, 6 * 25) << "the plan follows the warm-up";
  const auto json = nlohmann::json::parse(to_json(result));
  EXPECT_EQ(json["warm_up"]["until_steady"], true);
  EXPECT_EQ(json["windows"][0]["second"].get<double>(), -result.warm_up.lasted_s);
  double nearest = -100;
  for (const auto& second : json["evidence"]["seconds"]) {
    nearest = std::max(nearest, second["to_s"].get<double>());
  }
  EXPECT_NEAR(nearest, 6, 1.5) << "the evidence is on the axis of the measured window";
}

TEST(LoadUnsteadyTest, TheWarmUpLastsUntilTheServerIsWarm) {
  make_server(5, 60, 600);  // for three seconds, at this rate
  auto options = load_of(200, 30);
  options.threads = 2;
  options.warm_until_steady = true;
  options.warmup = 60s;
  options.duration = 3s;
  const auto result = run(options);
  EXPECT_GE(result.warm_up.lasted_s, 6) << result.warm_up.text;
  EXPECT_FALSE(result.warm_up.limit_reached) << result.warm_up.text;
  EXPECT_THAT(unsteady_reason(result), IsEmpty()) << to_text(result);
  EXPECT_LT(result.operations[0].totals.service.quantile_us(0.5), 12'000);
  EXPECT_THAT(to_text(result), HasSubstr("until steady. The service times of 1 operation"));
}

TEST(LoadUnsteadyTest, AWindowInWhichTheServerStillWarmsUpIsUnsteadyAndTheLimitIsReported) {
  make_server(5, 60, 2000);
  auto options = load_of(100, 20);
  options.warm_until_steady = true;
  options.warmup = 4s;
  options.duration = 7s;
  const auto result = run(options);
  EXPECT_TRUE(result.warm_up.limit_reached);
  EXPECT_NEAR(result.warm_up.lasted_s, 4, 0.01);
  EXPECT_THAT(to_text(result), HasSubstr("warm-up: 4.0 s, which is its limit. Service times still "
                                         "fell (work: median from "));
  expect_unsteady(result, "still fell");
}

// At 1,100 a second over sessions that were cold, no arrival of the window was started: it was
// FAIL, by a backlog of the warm-up alone.
TEST(LoadUnsteadyTest, ABacklogThatTheWarmUpLeftIsUnsteady) {
  make_server(5, 250, 80);
  auto options = load_of(30, 2);
  options.warmup = 3s;
  options.duration = 5s;
  expect_unsteady(run(options), "operations that the warm-up had left waiting");
}

}  // namespace
}  // namespace pantryd::loadgen
