// What a load says about others at its server, on a real one.
#include <gmock/gmock.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "loadgen/judge/judged_run.h"
#include "loadgen/report/html.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing_support::connect;
using testing_support::one;
using testing_support::shared_sandbox;
using testing_support::soon;

LoadOptions light_load(const std::string& sql = "SELECT 1") {
  LoadOptions options;
  const std::string text = "version: 1\nname: w\noperations:\n  - {name: op, weight: 1, steps: ";
  options.workload = parse_workload(text + "[{sql: \"" + sql + "\"}]}\n", "w.yaml");
  options.rate_per_s = 50;
  options.connections = 4;
  options.warmup = 1s;
  options.duration = 4s;
  return options;
}

std::vector<std::string> codes(const LoadResult& result) {
  std::vector<std::string> out;
  for (const auto& each : result.self_check.findings) out.push_back(each.code);
  return out;
}

pg::ConnectOptions named(const std::string& name) {
  pg::ConnectOptions out;
  out.application_name = name;
  return out;
}

/// A session called `name` in the database of the load, at work all the time or idle.
class Other {
 public:
  Other(const std::string& name, bool works)
      : session_(connect(named(name))), thread_([this, works] {
          while (!done_ && works) session_.exec("SELECT pg_sleep(0.2)", soon());
        }) {}
  ~Other() {
    done_ = true;
    thread_.join();
  }
  Other(const Other&) = delete;
  Other& operator=(const Other&) = delete;

 private:
  std::atomic<bool> done_{false};
  pg::Connection session_;
  std::thread thread_;
};

// Two sessions of pgbench were at work all the time in the same database, and the run said PASS.
TEST(LoadSurroundingsOfOthersTest, ASessionThatWorksAllTheTimeIsAFinding) {
  LoadResult result;
  {
    const Other neighbour("night-batch", true);
    result = run_and_judge(shared_sandbox().primary(), light_load());
  }
  EXPECT_THAT(codes(result), Contains("other_sessions")) << to_text(result);
  EXPECT_EQ(result.verdict, Verdict::invalid);
  EXPECT_THAT(to_text(result), HasSubstr("night-batch 1 in "));
  EXPECT_THAT(load_html(result), HasSubstr("<h2>Who else was there</h2>"));
  const auto json = nlohmann::json::parse(to_json(result));
  EXPECT_GE(json["evidence"]["surroundings"]["other_sessions_at_work"].get<double>(), 0.8);
}

TEST(LoadSurroundingsOfOthersTest, ASessionThatIsIdleIsListedAndNoFinding) {
  const Other neighbour("idle-console", false);
  const auto result = run_and_judge(shared_sandbox().primary(), light_load());
  EXPECT_THAT(codes(result), Not(Contains("other_sessions"))) << to_text(result);
  EXPECT_THAT(to_text(result), HasSubstr("idle-console 1 in "));
  EXPECT_THAT(to_text(result), HasSubstr("no restart, no reload and no change of a setting"));
}

// Each execution takes more memory than the C library keeps for the next one.
TEST(LoadSurroundingsOfOthersTest, PageFaultsOfTheServersSessionsAreCounted) {
  auto options = light_load("SELECT length(repeat('x', 40000000))");
  options.rate_per_s = 5;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  ASSERT_TRUE(result.environment.server_local);
  EXPECT_GT(result.evidence.totals.at("page_faults"), 5000) << to_text(result);
}

// The setting is at both ends of the run what it was, and another one between.
TEST(LoadSurroundingsOfOthersTest, WhatChangedAndWasChangedBackIsListedAndAFinding) {
  std::thread meanwhile([] {
    auto owner = connect();
    const StopFlag never;
    (void)never.wait(Deadline::in(1500ms));
    owner.exec("ALTER SYSTEM SET full_page_writes = off", soon());
    owner.exec("SELECT pg_reload_conf()", soon());
    owner.exec("CHECKPOINT", soon());
    (void)never.wait(Deadline::in(2s));
    owner.exec("ALTER SYSTEM RESET full_page_writes", soon());
    owner.exec("SELECT pg_reload_conf()", soon());
  });
  auto options = light_load();
  options.duration = 5s;
  const auto result = run_and_judge(shared_sandbox().primary(), options);
  meanwhile.join();
  EXPECT_THAT(codes(result), Contains("settings")) << to_text(result);
  EXPECT_THAT(to_text(result), HasSubstr("settings changed: full_page_writes"));
  EXPECT_THAT(to_text(result), HasSubstr("the server read its configuration"));
  EXPECT_GE(result.evidence.surroundings.checkpoints_requested.value_or(0), 1) << to_text(result);
}

}  // namespace
}  // namespace pantryd::loadgen
