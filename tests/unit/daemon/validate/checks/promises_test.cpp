// What the server promises about a commit, by answers that a server could give.
#include "validate/promises.h"

#include <gmock/gmock.h>

#include "validate/sheet.h"

namespace pantryd::validate {
namespace {

using testing::Contains;
using testing::HasSubstr;

struct Promise {
  std::string commit = "on";
  std::string names;
  std::string synchronous = "0";  ///< standbys
  std::string hidden = "0";
  std::string role_setting;
  std::string workload = "SELECT 1";
};

/// A server with one standby and good settings, but for the promise.
ClaimVerdict judged(const std::string& check, const Promise& promise) {
  const auto claims =
      parse_claims("version: 1\nclaims:\n  - {id: a, text: t, check: " + check + "}\n", "c.yaml");
  Evidence evidence;
  for (const auto& query : needs_of(claims).queries) {
    auto& answer = evidence.answers[query];
    if (query.find("current_setting('synchronous_commit')") != std::string::npos) {
      answer.rows = {{promise.commit, promise.names}};
    } else if (query.find("sync_state") != std::string::npos) {
      answer.rows = {{promise.synchronous, promise.hidden}};
    } else if (query.find("pg_db_role_setting") != std::string::npos &&
               !promise.role_setting.empty()) {
      answer.rows = {{"till in every database", promise.role_setting}};
    }
  }
  ServerEvidence primary;
  primary.name = "primary";
  primary.up = true;
  primary.metrics = {{"pg_settings_fsync", {}, 1},
                     {"pg_settings_synchronous_commit", {}, 1},
                     {"pg_settings_full_page_writes", {}, 1},
                     {"pantryd_replication_standbys", {}, 1},
                     {"pantryd_replication_total_bytes", {}, 0}};
  evidence.servers = {primary};
  LoadRun run;
  run.result.emplace();
  run.result->options.workload.name = "w";
  run.result->options.workload.statements = {promise.workload};
  evidence.loads.push_back(run);
  return judge_claims(claims, evidence).front();
}

struct Row {
  Promise promise;
  Verdict verdict;
  std::string line;
};

TEST(PromisesTest, EachRowOfTheTableHasItsVerdictForBothClaims) {
  const std::vector<Row> rows{
      {{"on", "", "0"}, Verdict::inconclusive, "is empty: a failover may lose"},
      {{"on", "a", "1"}, Verdict::inconclusive, "1 standby is wanted, 1 synchronous"},
      {{"on", "a", "0"}, Verdict::fail, "1 standby is wanted, 0 synchronous"},
      {{"on", "FIRST 2 (a, b)", "1"}, Verdict::fail, "2 standbys are wanted, 1 synchronous"},
      {{"remote_apply", "a", "1"}, Verdict::inconclusive, "synchronous_commit remote_apply"},
      {{"local", "", "0"}, Verdict::inconclusive, "synchronous_commit local"},
      {{"local", "a", "1"}, Verdict::fail, "do not wait for a standby"},
      {{"remote_write", "", "0"}, Verdict::inconclusive, "synchronous_commit remote_write"},
      {{"remote_write", "a", "1"}, Verdict::fail, "until a standby has flushed them"},
      {{"off", "", "0"}, Verdict::fail, "synchronous_commit off"},
  };
  for (const char* check : {"durability", "replication"}) {
    for (const auto& row : rows) {
      SCOPED_TRACE(std::string(check) + " " + row.promise.commit + " " + row.promise.names);
      const auto verdict = judged(check, row.promise);
      EXPECT_EQ(verdict.verdict, row.verdict);
      EXPECT_THAT(verdict.evidence, Contains(HasSubstr(row.line)));
    }
  }
}

TEST(PromisesTest, StandbysWhoseStateIsHiddenAreNotMissing) {
  const auto verdict = judged("replication", {.names = "a", .synchronous = "0", .hidden = "1"});
  EXPECT_EQ(verdict.verdict, Verdict::inconclusive);
  EXPECT_EQ(verdict.reason, Reason::unreadable);
}

TEST(PromisesTest, ARoleThatWaitsForLessCountsWhereAStandbyIsPromised) {
  const std::string local = "synchronous_commit=local";
  EXPECT_EQ(judged("durability", {.role_setting = local}).verdict, Verdict::inconclusive);
  EXPECT_EQ(judged("durability", {.names = "a", .synchronous = "1", .role_setting = local}).verdict,
            Verdict::fail);
  EXPECT_EQ(judged("durability", {.role_setting = "synchronous_commit=off"}).verdict,
            Verdict::fail);
}

TEST(PromisesTest, AWorkloadThatGivesUpItsDurabilityFailsTheClaim) {
  for (const char* sql : {"SET LOCAL synchronous_commit TO off", "set synchronous_commit = 'local'",
                          "SELECT set_config('synchronous_commit', 'off', true)",
                          "SET LOCAL synchronous_commit TO on; SET LOCAL synchronous_commit TO off",
                          "SET SYNCHRONOUS_COMMIT TO 0", "SET LOCAL synchronous_commit=no"}) {
    const auto verdict = judged("durability", {.workload = sql});
    EXPECT_EQ(verdict.verdict, Verdict::fail) << sql;
    EXPECT_THAT(verdict.evidence, Contains(HasSubstr("gives up its own durability")));
  }
  for (const char* sql :
       {"SELECT 1", "SET LOCAL synchronous_commit TO on", "SET synchronous_commit = 'remote_apply'",
        "SELECT set_config('synchronous_commit', 'on', true)",
        "SET LOCAL synchronous_commit TO YES", "SET LOCAL synchronous_commit = 1"}) {
    EXPECT_EQ(judged("durability", {.workload = sql}).verdict, Verdict::inconclusive) << sql;
  }
}

TEST(PromisesTest, TheNumberOfStandbysIsReadFromEachFormOfTheNames) {
  EXPECT_EQ(standbys_wanted(""), 0);
  EXPECT_EQ(standbys_wanted("a, b"), 1);
  EXPECT_EQ(standbys_wanted("*"), 1);
  EXPECT_EQ(standbys_wanted("2 (a, b)"), 2);
  EXPECT_EQ(standbys_wanted("FIRST 3 (a, b, c)"), 3);
  EXPECT_EQ(standbys_wanted(" any 2 (*)"), 2);
}

}  // namespace
}  // namespace pantryd::validate
