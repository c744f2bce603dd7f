// The look at the server on every supported major, primary and standby.
#include <gmock/gmock.h>

#include "loadgen/evidence/sampler.h"
#include "tests/support/server_pair.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing_support::ServerPair;

class LoadEvidenceMatrixTest : public testing::TestWithParam<int> {};

TEST_P(LoadEvidenceMatrixTest, EveryCounterIsReadOnEveryMajorAndByARoleThatIsNothing) {
  ServerPair pair(GetParam(),
                  "CREATE ROLE nobody_much LOGIN PASSWORD 'of-tests'; CREATE TABLE t (a int); "
                  "INSERT INTO t SELECT generate_series(1, 1000)");
  for (const auto& server : pair.servers()) {
    for (const bool owner : {true, false}) {
      const auto where = owner ? server.where
                               : server.where.with("passfile", "")
                                     .with("user", "nobody_much")
                                     .with("password", "of-tests");
      Sampler sampler(where, std::nullopt);
      const auto began = SteadyClock::now();
      sampler.start(began);
      const StopFlag never;
      (void)never.wait(Deadline::in(1200ms));
      const auto series = sampler.finish(began, 1.2);
      const auto context = server.where.display() + (owner ? " owner" : " nobody");
      EXPECT_THAT(series.note, IsEmpty()) << context;
      for (const char* name :
           {"commits", "blocks_hit", "active_ms", "other_transactions", "wal_bytes", "wal_records",
            "checkpoints", "checkpoint_sync_ms", "checkpoints_timed", "checkpoints_requested"}) {
        EXPECT_TRUE(series.totals.contains(name)) << context << " " << name;
      }
      EXPECT_EQ(series.totals.contains("io_reads"), GetParam() >= 16) << context;
      EXPECT_THAT(series.server.changed_settings, IsEmpty()) << context;
      ASSERT_FALSE(series.seconds.empty()) << context;
      for (const char* name : {"sessions", "active", "locks_waiting", "standbys", "started_at",
                               "foreign_sessions", "foreign_active", "foreign_hidden"}) {
        EXPECT_TRUE(series.seconds.back().gauges.contains(name)) << context << " " << name;
      }
      EXPECT_EQ(sampler.environment().schema_hash.size(), 32U) << context;
      EXPECT_EQ(sampler.environment().relations.size(), 1U) << context;
      EXPECT_GT(sampler.environment().settings.size(), 15U) << context;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Majors, LoadEvidenceMatrixTest, testing::Values(14, 15, 16, 17, 18));

}  // namespace
}  // namespace pantryd::loadgen
