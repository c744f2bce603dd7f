// What else happened while a load ran, from looks that the test makes.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "loadgen/evidence/surroundings.h"
#include "loadgen/judge/self_check.h"
#include "loadgen/report/surroundings_text.h"

namespace pantryd::loadgen {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

/// A look a second from -2 to 10, at a server on which nothing happens.
std::vector<Look> quiet() {
  std::vector<Look> out;
  for (int second = -2; second <= 10; ++second) {
    Look look;
    look.at_s = second;
    look.answered = true;
    look.counters = {{"checkpoints_timed", 5}, {"checkpoints_requested", 2}};
    look.gauges = {{"started_at", 1},
                   {"configured_at", 1},
                   {"foreign_sessions", 0},
                   {"foreign_active", 0},
                   {"foreign_hidden", 0}};
    out.push_back(look);
  }
  return out;
}

LoadResult result_of(const std::vector<Look>& looks, const std::vector<ServerEvent>& changes = {}) {
  LoadResult out;
  out.evidence.surroundings = surroundings_of(looks, changes, 10);
  return out;
}

std::vector<std::string> codes_of(const LoadResult& result) {
  std::vector<std::string> out;
  for (const auto& each : check_self(self_check_facts(result)).findings) out.push_back(each.code);
  return out;
}

TEST(SurroundingsTest, OnAQuietServerNothingIsListed) {
  const auto result = result_of(quiet());
  EXPECT_THAT(
      surroundings_lines(result),
      ElementsAre("other sessions in the database: none in 11 looks",
                  "no restart, no reload and no change of a setting was seen",
                  "checkpoints: 0 timed, 0 requested", "autovacuum: no worker in 11 looks"));
  EXPECT_THAT(codes_of(result), testing::Not(Contains("other_sessions")));
}

TEST(SurroundingsTest, WithoutALookNothingIsKnown) {
  auto looks = quiet();
  for (auto& look : looks) look.answered = false;
  const auto result = result_of(looks);
  EXPECT_THAT(surroundings_lines(result), ElementsAre(HasSubstr("is unknown")));
  EXPECT_TRUE(result.evidence.to_json()["surroundings"]["other_sessions"].is_null());
  EXPECT_TRUE(result.evidence.to_json()["surroundings"]["checkpoints_timed"].is_null());
}

TEST(SurroundingsTest, ReloadsRestartsAndSettingsHaveTheirMoment) {
  auto looks = quiet();
  for (std::size_t i = 4; i < looks.size(); ++i) looks[i].gauges["configured_at"] = 2;
  for (std::size_t i = 8; i < looks.size(); ++i) {
    looks[i].gauges["configured_at"] = 3;
    looks[i].gauges["started_at"] = 3;
  }
  const auto result = result_of(looks, {{2, "settings", "work_mem"}});
  EXPECT_THAT(surroundings_lines(result),
              testing::IsSupersetOf({"at 2 s the server read its configuration",
                                     "at 2 s settings changed: work_mem",
                                     "at 6 s the server was restarted"}));
  EXPECT_EQ(result.evidence.surroundings.events.size(), 3U) << "a restart is no reload beside that";
}

TEST(SurroundingsTest, CheckpointsAndAutovacuumOfTheWindowAreCounted) {
  auto looks = quiet();
  looks[0].counters["checkpoints_timed"] = 4;  // one in the warm-up
  for (std::size_t i = 6; i < looks.size(); ++i) {
    looks[i].counters["checkpoints_timed"] = 6;
    looks[i].counters["checkpoints_requested"] = 4;
    looks[i].vacuums = {{"VACUUM public.sales", 1}};
  }
  EXPECT_THAT(surroundings_lines(result_of(looks)),
              testing::IsSupersetOf({"checkpoints: 1 timed, 2 requested",
                                     "autovacuum: VACUUM public.sales 1 in 7 looks"}));
}

/// In every look: 2 of pgbench, one of psql; `working` says in how many one of them was at work.
LoadResult with_others(std::size_t working) {
  auto looks = quiet();
  for (std::size_t i = 0; i < looks.size(); ++i) {
    looks[i].others = {{"pgbench", 2}, {"psql", 1}};
    looks[i].gauges["foreign_sessions"] = 3;
    looks[i].gauges["foreign_active"] = i < working + 2 ? 1 : 0;
  }
  return result_of(looks);
}

TEST(SurroundingsTest, OthersThatWorkAllTheTimeAreAFindingAndIdleOnesAreListed) {
  const auto busy = with_others(11);
  EXPECT_THAT(codes_of(busy), Contains("other_sessions"));
  EXPECT_THAT(surroundings_lines(busy).at(0),
              HasSubstr("at most 3, at work in 100 % of 11 looks: pgbench 2 in 11 looks, psql 1"));
  const auto idle = with_others(2);
  EXPECT_THAT(codes_of(idle), testing::Not(Contains("other_sessions")));
  EXPECT_THAT(surroundings_lines(idle).at(0), HasSubstr("at work in 18 %"));
}

TEST(ProcessStatTest, TheNameOfAProcessMayHoldAnything) {
  const auto times = parse_process_stat(
      "4711 (postgres: a b) c) S 1 4711 4711 0 -1 4194560 1234 0 5 0 250 150 0 0 20 0 1 0 99", 100);
  ASSERT_TRUE(times.has_value());
  EXPECT_EQ(times->minor_faults, 1234);
  EXPECT_EQ(times->major_faults, 5);
  EXPECT_EQ(times->user_s, 2.5);
  EXPECT_EQ(times->system_s, 1.5);
  EXPECT_FALSE(parse_process_stat("", 100).has_value());
}

}  // namespace
}  // namespace pantryd::loadgen
