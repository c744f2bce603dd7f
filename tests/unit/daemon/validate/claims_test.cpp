// Claims and their judgement on evidence that the test makes.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "tests/support/metric_catalogue.h"
#include "validate/check.h"
#include "validate/metric_names.h"
#include "validate/report.h"
#include "validate/sheet.h"

namespace pantryd::validate {
namespace {

using loadgen::LoadResult;
using loadgen::OperationResult;
using testing::HasSubstr;
using testing::Not;

Claim claim(const std::string& id) {
  for (const auto& each : load_claims("")) {
    if (each.id == id) return each;
  }
  ADD_FAILURE() << "there is no claim " << id;
  return {};
}

/// Statements that are not answered yet are answered by a server on which nothing is wrong.
ClaimVerdict judge_one(const std::string& id, Evidence evidence) {
  const auto wanted = claim(id);
  for (const auto& query : wanted.check->needs(wanted.keys).queries) {
    const bool settings = query.find("synchronous_standby_names") != std::string::npos;
    const bool standbys = query.find("sync_state") != std::string::npos;
    evidence.answers.try_emplace(query, settings   ? Answer{{{"on", ""}}, {}}
                                        : standbys ? Answer{{{"0", "0"}}, {}}
                                                   : Answer{});
  }
  return judge_claims({wanted}, evidence).front();
}

/// The load that this claim wants has this result.
Evidence evidence_for(const std::string& id, LoadResult result) {
  const auto wanted = claim(id);
  Evidence out;
  out.loads.push_back({wanted.check->needs(wanted.keys).loads.at(0), std::move(result), {}, {}});
  return out;
}

LoadResult load_with(std::int64_t completed, std::int64_t errors, std::int64_t response_us) {
  LoadResult out;
  out.options.users = 100;
  out.options.connections = 100;
  out.options.duration = std::chrono::seconds(1);
  out.totals.client.measured_s = 1;
  OperationResult operation;
  operation.name = "lookup";
  operation.totals.offered = completed + errors;
  operation.totals.completed = operation.totals.done_in_window = completed;
  operation.totals.errors = errors;
  for (std::int64_t i = 0; i < completed; ++i) operation.totals.response.record(response_us);
  out.operations.push_back(std::move(operation));
  return out;
}

ServerEvidence primary_with(std::vector<ServerMetric> metrics) {
  ServerEvidence out;
  out.name = "primary";
  out.up = true;
  out.metrics = std::move(metrics);
  return out;
}

TEST(ClaimsTest, TheShippedSheetHoldsTheOperatorsClaims) {
  std::vector<std::string> ids;
  for (const auto& each : load_claims("")) ids.push_back(each.id);
  EXPECT_THAT(ids, testing::ElementsAre("tps-1000", "users-100", "query-subsecond", "backup-daily",
                                        "replication", "pitr", "durability"));
}

TEST(ClaimsTest, NoEvidenceIsNeverAPass) {
  for (const auto& each : judge_claims(load_claims(""), {})) {
    EXPECT_EQ(each.verdict, Verdict::inconclusive) << each.claim.id;
    EXPECT_FALSE(each.evidence.empty()) << each.claim.id;
  }
}

TEST(ClaimsTest, ThroughputIsWhatWasDoneNotWhatWasOffered) {
  EXPECT_EQ(judge_one("tps-1000", evidence_for("tps-1000", load_with(1100, 0, 1000))).verdict,
            Verdict::pass);
  auto load = load_with(999, 0, 1000);
  load.operations[0].totals.offered = 1100;
  load.operations[0].totals.not_started = 101;
  const auto missed = judge_one("tps-1000", evidence_for("tps-1000", load));
  EXPECT_EQ(missed.verdict, Verdict::fail);
  EXPECT_EQ(missed.measured, "999 TPS");
}

TEST(ClaimsTest, ErrorsSpoilBothThroughputAndUsers) {
  for (const char* id : {"tps-1000", "users-100"}) {
    EXPECT_EQ(judge_one(id, evidence_for(id, load_with(1100, 50, 1000))).verdict, Verdict::fail);
  }
}

TEST(ClaimsTest, AClientThatWasTheLimitMakesItInvalidNotFailed) {
  auto load = load_with(500, 0, 1000);
  load.verdict = Verdict::invalid;
  load.reasons = {"the client was late"};
  EXPECT_EQ(judge_one("tps-1000", evidence_for("tps-1000", load)).verdict, Verdict::invalid);
}

// If chance alone brings fewer operations than the claim, nothing was shown either way.
TEST(ClaimsTest, FewerArrivalsThanTheClaimAreInconclusive) {
  const auto few = judge_one("tps-1000", evidence_for("tps-1000", load_with(999, 0, 1000)));
  EXPECT_EQ(few.verdict, Verdict::inconclusive);
  EXPECT_EQ(few.reason, Reason::samples);
}

// The sheet printed PASS for a load whose own file said FAIL.
TEST(ClaimsTest, AClaimIsNeverBetterThanItsLoad) {
  auto load = load_with(1100, 0, 1000);
  load.operations[0].slo_p99 = std::chrono::milliseconds(100);
  load.operations[0].verdict = Verdict::fail;
  load.verdict = Verdict::fail;
  EXPECT_EQ(judge_one("tps-1000", evidence_for("tps-1000", load)).verdict, Verdict::inconclusive);
  load.operations[0].verdict = Verdict::pass;
  load.verdict = Verdict::pass;
  EXPECT_EQ(judge_one("tps-1000", evidence_for("tps-1000", load)).verdict, Verdict::pass);
}

ClaimVerdict judge_sheet(const std::string& keys, LoadResult load) {
  const auto claims =
      parse_claims("version: 1\nclaims:\n  - {id: a, text: t, " + keys + "}\n", "c.yaml");
  Evidence evidence;
  for (const auto& need : needs_of(claims).loads) {
    evidence.loads.push_back({need, load, {}, false, {}});
  }
  return judge_claims(claims, evidence).front();
}

TEST(ClaimsTest, HeadroomWantsTheOfferedRateItself) {
  const std::string claim = "check: throughput, at_least: 1000, headroom: 30%";
  EXPECT_EQ(judge_sheet(claim, load_with(1300, 0, 1000)).verdict, Verdict::pass);
  auto slow = load_with(1100, 0, 1000);
  slow.operations[0].totals.offered = 1300;
  EXPECT_EQ(judge_sheet(claim, slow).verdict, Verdict::fail) << "1,100 are not 1,300";
}

TEST(ClaimsTest, APercentileOfAThroughputClaimHasToHold) {
  const std::string claim = "check: throughput, at_least: 1000, p99: 80ms";
  EXPECT_EQ(judge_sheet(claim, load_with(1100, 0, 79'000)).verdict, Verdict::pass);
  EXPECT_EQ(judge_sheet(claim, load_with(1100, 0, 82'000)).verdict, Verdict::fail);
}

TEST(ClaimsTest, RefusedWorkAboveTheLimitFails) {
  auto load = load_with(1100, 0, 1000);
  load.operations[0].totals.refused = 50;
  EXPECT_EQ(judge_one("tps-1000", evidence_for("tps-1000", load)).verdict, Verdict::pass);
  load.operations[0].totals.refused = 60;
  EXPECT_EQ(judge_one("tps-1000", evidence_for("tps-1000", load)).verdict, Verdict::fail);
}

TEST(ClaimsTest, TheWorstOfSeveralRunsCounts) {
  const auto claims = parse_claims(
      "version: 1\nclaims:\n  - {id: a, text: t, check: throughput, at_least: 1000, repeat: 2}\n",
      "c.yaml");
  const auto needs = needs_of(claims).loads;
  ASSERT_EQ(needs.size(), 2U);
  auto slow = load_with(900, 0, 1000);
  slow.operations[0].totals.offered = 1100;
  Evidence evidence;
  evidence.loads.push_back({needs[0], load_with(1100, 0, 1000), {}, false, {}});
  evidence.loads.push_back({needs[1], slow, {}, false, {}});
  const auto judged = judge_claims(claims, evidence).front();
  EXPECT_EQ(judged.verdict, Verdict::fail);
  EXPECT_EQ(judged.measured, "900 TPS");
  evidence.loads[1].result = load_with(1100, 0, 1000);
  EXPECT_EQ(judge_claims(claims, evidence).front().verdict, Verdict::pass);
}

TEST(ClaimsTest, BelowTheClaimedScaleNothingIsShown) {
  const auto claims = parse_claims(
      "version: 1\nclaims:\n  - {id: a, text: t, check: throughput, at_least: 1000, scale: "
      "{products: 1000000}}\n",
      "c.yaml");
  const auto needs = needs_of(claims);
  const auto judged = [&](const std::string& products) {
    Evidence evidence;
    evidence.loads.push_back({needs.loads[0], load_with(1100, 0, 1000), {}, false, {}});
    for (const auto& query : needs.queries) evidence.answers[query].rows = {{products}};
    return judge_claims(claims, evidence).front();
  };
  EXPECT_EQ(judged("1000000").verdict, Verdict::pass);
  const auto small = judged("20000");
  EXPECT_EQ(small.verdict, Verdict::inconclusive);
  EXPECT_EQ(small.reason, Reason::scale);
  EXPECT_THAT(small.evidence, testing::Contains("held at 20,000 products; not shown at 1,000,000"));
}

// All sales had been deleted, and the claim still named the 100,000 of the seed's ledger.
TEST(ClaimsTest, RowsThatTheSeedMadeAndThatAreGoneAreNoticed) {
  auto load = load_with(400, 0, 1000);
  load.dataset.emplace();
  load.dataset->products = 2000;
  load.dataset->sales = 100'000;
  const auto judged = [&](const std::string& sales) {
    auto evidence = evidence_for("query-subsecond", load);
    const auto wanted = claim("query-subsecond");
    for (const auto& query : wanted.check->needs(wanted.keys).queries) {
      const bool of_sales = query.find("sales") != std::string::npos;
      evidence.answers[query].rows = {{of_sales ? sales : std::string("2000")}};
    }
    return judge_one("query-subsecond", evidence);
  };
  EXPECT_EQ(judged("99000").verdict, Verdict::pass);
  EXPECT_EQ(judged("0").verdict, Verdict::inconclusive);
  EXPECT_EQ(judged("0").reason, Reason::scale);
  EXPECT_THAT(judged("100250").evidence,
              testing::Contains("250 of the sales were added since the seed"));
}

/// 100 users in a closed loop are at once by its nature; in an open loop they are counted.
TEST(ClaimsTest, UsersAreThoseThatWereThereAtOnce) {
  const auto judged = [](std::int64_t running) {
    auto load = load_with(1100, 0, 1000);
    load.options.rate_per_s = 1100;
    load.totals.client.measured_s = 10;
    for (std::int64_t second = 0; second < 10; ++second) {
      loadgen::Window window;
      window.second = second;
      window.running = running;
      load.totals.windows.push_back(window);
    }
    return judge_sheet("check: users, at_least: 100, offered: 1100", load);
  };
  EXPECT_EQ(judged(100).verdict, Verdict::pass);
  const auto one = judged(1);
  EXPECT_EQ(one.verdict, Verdict::inconclusive);
  EXPECT_EQ(one.reason, Reason::load);
  EXPECT_THAT(one.measured, HasSubstr("1 users"));
}

TEST(ClaimsTest, AServerThatHasNoRoomForTheClaimFailsIt) {
  const auto wanted = claim("users-100");
  Evidence evidence;
  const auto need = wanted.check->needs(wanted.keys).loads.at(0);
  evidence.loads.push_back({need, std::nullopt, "no room for 100 connections", true, {}});
  EXPECT_EQ(judge_one("users-100", evidence).verdict, Verdict::fail);
  evidence.loads[0].forbidden = false;
  EXPECT_EQ(judge_one("users-100", evidence).verdict, Verdict::inconclusive);
}

TEST(ClaimsTest, OneSlowOperationFailsSubSecondAndIsNamed) {
  const auto judged = [](std::int64_t response_us) {
    return judge_one("query-subsecond",
                     evidence_for("query-subsecond", load_with(400, 0, response_us)));
  };
  EXPECT_EQ(judged(500'000).verdict, Verdict::pass);
  const auto slow = judged(1'200'000);
  EXPECT_EQ(slow.verdict, Verdict::fail);
  EXPECT_THAT(slow.measured, HasSubstr("lookup"));
}

/// `late` of `samples` operations took two seconds, where the claim allows one.
ClaimVerdict judge_late(std::int64_t samples, std::int64_t late) {
  auto load = load_with(samples - late, 0, 1000);
  auto& totals = load.operations[0].totals;
  for (std::int64_t i = 0; i < late; ++i) totals.response.record(2'000'000);
  totals.offered = totals.completed = samples;
  return judge_one("query-subsecond", evidence_for("query-subsecond", load));
}

TEST(ClaimsTest, ALatencyPassesWhenEnoughSamplesShowItAndNotByOne) {
  EXPECT_EQ(judge_late(298, 0).verdict, Verdict::inconclusive);
  EXPECT_EQ(judge_late(299, 0).verdict, Verdict::pass);
  const auto few = judge_late(100, 0);
  EXPECT_EQ(few.reason, Reason::samples);
  EXPECT_THAT(few.evidence, testing::Contains(HasSubstr("lookup: 0 of 100")));
  EXPECT_THAT(few.evidence, testing::Contains(HasSubstr("199 more without a miss would decide")));
}

TEST(ClaimsTest, OneLateAnswerIsNoProofOfASlowServer) {
  EXPECT_EQ(judge_late(14, 1).verdict, Verdict::inconclusive);
  EXPECT_EQ(judge_late(100'000, 1).verdict, Verdict::pass);
  EXPECT_EQ(judge_late(14, 4).verdict, Verdict::fail);
}

TEST(ClaimsTest, AnOperationThatNeverRanLeavesItInconclusive) {
  auto load = load_with(200, 0, 500);
  load.operations.push_back({.name = "never"});
  const auto judged = judge_one("query-subsecond", evidence_for("query-subsecond", load));
  EXPECT_EQ(judged.verdict, Verdict::inconclusive);
  EXPECT_EQ(judged.reason, Reason::samples);
}

ServerMetric backup(const std::string& metric, const std::string& kind, double value) {
  return {metric, {{"kind", kind}, {"name", "x"}}, value};
}

TEST(ClaimsTest, AnOldOrBrokenDumpFails) {
  const auto verdict_of = [](double age, double failed) {
    Evidence evidence;
    evidence.servers = {primary_with({backup("pantryd_backup_readable", "pg_dump", 1),
                                      backup("pantryd_backup_age_seconds", "pg_dump", age),
                                      backup("pantryd_backup_age_limit_seconds", "pg_dump", 100),
                                      backup("pantryd_backup_newest_failed", "pg_dump", failed)})};
    return judge_one("backup-daily", evidence).verdict;
  };
  EXPECT_EQ(verdict_of(99, 0), Verdict::inconclusive) << "a restore was not tried";
  EXPECT_EQ(verdict_of(101, 0), Verdict::fail);
  EXPECT_EQ(verdict_of(99, 1), Verdict::fail);
}

// The first folder of any kind was printed as the newest dump, and any kind that was late failed
// the claim.
TEST(ClaimsTest, OnlyDumpsDecideTheClaimAboutDumps) {
  const auto judged = [](double base_age, double dump_age) {
    Evidence evidence;
    evidence.servers = {primary_with({backup("pantryd_backup_readable", "base", 1),
                                      backup("pantryd_backup_age_seconds", "base", base_age),
                                      backup("pantryd_backup_age_limit_seconds", "base", 93'600),
                                      backup("pantryd_backup_newest_failed", "base", 0),
                                      backup("pantryd_backup_readable", "pg_dump", 1),
                                      backup("pantryd_backup_age_seconds", "pg_dump", dump_age),
                                      backup("pantryd_backup_age_limit_seconds", "pg_dump", 93'600),
                                      backup("pantryd_backup_newest_failed", "pg_dump", 0)})};
    return judge_one("backup-daily", evidence);
  };
  const auto fresh = judged(259'200, 3'600);
  EXPECT_NE(fresh.verdict, Verdict::fail);
  EXPECT_EQ(fresh.measured, "newest dump: 1h");
  const auto late = judged(3'600, 259'200);
  EXPECT_EQ(late.verdict, Verdict::fail);
  EXPECT_EQ(late.measured, "newest dump: 3d");
}

TEST(ClaimsTest, ABaseBackupIsNoDump) {
  Evidence evidence;
  evidence.servers = {primary_with({backup("pantryd_backup_readable", "base", 1),
                                    backup("pantryd_backup_age_seconds", "base", 10),
                                    backup("pantryd_backup_age_limit_seconds", "base", 100)})};
  EXPECT_EQ(judge_one("backup-daily", evidence).verdict, Verdict::inconclusive);
}

TEST(ClaimsTest, AFolderThatCannotBeReadIsNotAMissingBackup) {
  Evidence evidence;
  evidence.servers = {primary_with({backup("pantryd_backup_readable", "pg_dump", 0)})};
  EXPECT_EQ(judge_one("backup-daily", evidence).verdict, Verdict::inconclusive);
}

TEST(ClaimsTest, NoStandbyFailsReplication) {
  Evidence evidence;
  evidence.servers = {primary_with({{"pantryd_replication_standbys", {}, 0}})};
  EXPECT_EQ(judge_one("replication", evidence).verdict, Verdict::fail);
  evidence.servers = {primary_with(
      {{"pantryd_replication_standbys", {}, 1}, {"pantryd_replication_total_bytes", {}, 1e9}})};
  EXPECT_EQ(judge_one("replication", evidence).verdict, Verdict::fail) << "a gigabyte behind";
  evidence.servers[0].metrics[1].value = 1000;
  const auto near = judge_one("replication", evidence);
  EXPECT_EQ(near.verdict, Verdict::inconclusive) << "a failover was not tried";
  EXPECT_EQ(near.reason, Reason::not_tested);
  evidence.servers.push_back({.name = "standby", .up = false, .problem = "refused"});
  EXPECT_EQ(judge_one("replication", evidence).verdict, Verdict::fail) << "a standby is down";
}

TEST(ClaimsTest, ABackupNumberThatIsMissingIsInconclusiveAndNeverZero) {
  const auto judged = [](const std::string& missing) {
    Evidence evidence;
    auto server = primary_with({backup("pantryd_backup_readable", "pg_dump", 1),
                                backup("pantryd_backup_age_seconds", "pg_dump", 99),
                                backup("pantryd_backup_age_limit_seconds", "pg_dump", 100),
                                backup("pantryd_backup_newest_failed", "pg_dump", 0)});
    std::erase_if(server.metrics, [&](const auto& each) { return each.name == missing; });
    evidence.servers = {server};
    return judge_one("backup-daily", evidence);
  };
  EXPECT_NE(judged("nothing").reason, Reason::unreadable);
  for (const char* missing : {"pantryd_backup_age_seconds", "pantryd_backup_age_limit_seconds",
                              "pantryd_backup_newest_failed"}) {
    SCOPED_TRACE(missing);
    EXPECT_EQ(judged(missing).verdict, Verdict::inconclusive);
    EXPECT_EQ(judged(missing).reason, Reason::unreadable);
  }
}

TEST(ClaimsTest, AFolderWithoutADumpFails) {
  Evidence evidence;
  evidence.servers = {primary_with({backup("pantryd_backup_readable", "pg_dump", 1),
                                    backup("pantryd_backup_count", "pg_dump", 0),
                                    backup("pantryd_backup_age_limit_seconds", "pg_dump", 100),
                                    backup("pantryd_backup_newest_failed", "pg_dump", 0)})};
  EXPECT_EQ(judge_one("backup-daily", evidence).verdict, Verdict::fail);
}

// A receiver that never replays, such as pg_receivewal, was shown as "1 standby, 0 B behind".
TEST(ClaimsTest, AStandbyWhoseLagIsNotShownIsNotZeroBytesBehind) {
  Evidence evidence;
  evidence.servers = {primary_with({{"pantryd_replication_standbys", {}, 1}})};
  const auto silent = judge_one("replication", evidence);
  EXPECT_EQ(silent.verdict, Verdict::inconclusive);
  EXPECT_EQ(silent.reason, Reason::unreadable);
  EXPECT_THAT(silent.measured, Not(HasSubstr("0 B")));
  evidence.servers[0].metrics.push_back({"pantryd_replication_total_bytes", {}, 0});
  EXPECT_NE(judge_one("replication", evidence).reason, Reason::unreadable);
  evidence.servers[0].metrics[0].value = 2;
  EXPECT_EQ(judge_one("replication", evidence).reason, Reason::unreadable) << "one of two";
}

TEST(ClaimsTest, AStandbyThatDoesNotShowWhetherItReceivesIsInconclusive) {
  const auto judged = [](std::optional<double> streaming) {
    Evidence evidence;
    evidence.servers = {primary_with({{"pantryd_replication_standbys", {}, 1},
                                      {"pantryd_replication_total_bytes", {}, 0}}),
                        {.name = "standby", .up = true, .standby = true}};
    if (streaming) {
      evidence.servers[1].metrics = {{"pantryd_standby_receiver_streaming", {}, *streaming}};
    }
    return judge_one("replication", evidence);
  };
  EXPECT_EQ(judged(std::nullopt).verdict, Verdict::inconclusive);
  EXPECT_EQ(judged(std::nullopt).reason, Reason::unreadable);
  EXPECT_NE(judged(1).reason, Reason::unreadable);
  EXPECT_EQ(judged(0).verdict, Verdict::fail);
}

TEST(ClaimsTest, AFolderOfBaseBackupsThatCannotBeReadIsNotAMissingBackup) {
  const auto judged = [](ServerMetric base) {
    Evidence evidence;
    evidence.servers = {primary_with({{"pantryd_archive_enabled", {}, 1},
                                      {"pantryd_archive_ready_segments", {}, 0},
                                      {"pantryd_archive_oldest_ready_seconds", {}, 0},
                                      {"pantryd_archive_failing", {}, 0},
                                      {"pantryd_archive_last_archived_timestamp_seconds", {}, 1e9},
                                      std::move(base)})};
    return judge_one("pitr", evidence);
  };
  const auto unreadable = judged(backup("pantryd_backup_readable", "base", 0));
  EXPECT_EQ(unreadable.verdict, Verdict::inconclusive);
  EXPECT_EQ(unreadable.reason, Reason::unreadable);
  EXPECT_EQ(judged(backup("pantryd_backup_count", "base", 0)).verdict, Verdict::fail);
  EXPECT_NE(judged(backup("pantryd_backup_count", "base", 1)).verdict, Verdict::fail);
}

TEST(ClaimsTest, AnArchiveThatFailsOrStallsFails) {
  const auto verdict_of = [](double enabled, double failing, double waits) {
    Evidence evidence;
    evidence.servers = {primary_with({{"pantryd_archive_enabled", {}, enabled},
                                      {"pantryd_archive_ready_segments", {}, 1},
                                      {"pantryd_archive_oldest_ready_seconds", {}, waits},
                                      {"pantryd_archive_failing", {}, failing},
                                      {"pantryd_archive_last_archived_timestamp_seconds", {}, 1e9},
                                      backup("pantryd_backup_count", "base", 1)})};
    return judge_one("pitr", evidence).verdict;
  };
  EXPECT_EQ(verdict_of(1, 0, 10), Verdict::inconclusive) << "a recovery was not tried";
  EXPECT_EQ(verdict_of(0, 0, 10), Verdict::fail);
  EXPECT_EQ(verdict_of(1, 1, 10), Verdict::fail);
  EXPECT_EQ(verdict_of(1, 0, 1000), Verdict::fail);
}

TEST(ClaimsTest, OneDurabilitySettingThatIsOffFails) {
  const auto verdict_of = [](double fsync) {
    Evidence evidence;
    evidence.servers = {primary_with({{"pg_settings_fsync", {}, fsync},
                                      {"pg_settings_synchronous_commit", {}, 1},
                                      {"pg_settings_full_page_writes", {}, 1}})};
    return judge_one("durability", evidence);
  };
  EXPECT_EQ(verdict_of(1).verdict, Verdict::inconclusive) << "a crash was not tried";
  EXPECT_EQ(verdict_of(1).reason, Reason::not_tested);
  EXPECT_EQ(verdict_of(0).verdict, Verdict::fail);
  EXPECT_THAT(verdict_of(0).measured, HasSubstr("fsync off"));
}

Evidence durable_settings() {
  Evidence evidence;
  evidence.servers = {primary_with({{"pg_settings_fsync", {}, 1},
                                    {"pg_settings_synchronous_commit", {}, 1},
                                    {"pg_settings_full_page_writes", {}, 1}})};
  return evidence;
}

/// The statement of the claim that contains this.
std::string query_with(const std::string& id, const std::string& part) {
  const auto wanted = claim(id);
  for (const auto& query : wanted.check->needs(wanted.keys).queries) {
    if (query.find(part) != std::string::npos) return query;
  }
  ADD_FAILURE() << "no statement contains " << part;
  return {};
}

// A role of the tills with synchronous_commit off, and tables that a crash empties, passed.
TEST(ClaimsTest, WhatLosesSalesOutsideTheServersSettingsFailsDurability) {
  for (const char* part : {"pg_db_role_setting", "proconfig", "relpersistence"}) {
    SCOPED_TRACE(part);
    auto evidence = durable_settings();
    evidence.answers[query_with("durability", part)].rows = {{"till", "synchronous_commit=off"}};
    const auto judged = judge_one("durability", evidence);
    EXPECT_EQ(judged.verdict, Verdict::fail);
    EXPECT_THAT(judged.evidence, testing::Contains(HasSubstr("till: ")));
  }
}

TEST(ClaimsTest, ADurabilityStatementThatFailedIsInconclusive) {
  auto evidence = durable_settings();
  EXPECT_EQ(judge_one("durability", evidence).reason, Reason::not_tested);
  evidence.answers[query_with("durability", "relpersistence")].problem = "permission denied";
  const auto judged = judge_one("durability", evidence);
  EXPECT_EQ(judged.verdict, Verdict::inconclusive);
  EXPECT_EQ(judged.reason, Reason::unreadable);
}

TEST(ClaimsTest, ASessionOfTheRoleWithoutSynchronousCommitFails) {
  auto evidence = durable_settings();
  evidence.answers[query_with("durability", "synchronous_standby_names")].rows = {{"off", ""}};
  EXPECT_EQ(judge_one("durability", evidence).verdict, Verdict::fail);
}

TEST(ClaimsTest, AnArchiveCommandThatKeepsNothingFails) {
  Evidence evidence;
  evidence.servers = {primary_with({{"pantryd_archive_enabled", {}, 1},
                                    {"pantryd_archive_ready_segments", {}, 0},
                                    {"pantryd_archive_oldest_ready_seconds", {}, 0},
                                    {"pantryd_archive_failing", {}, 0},
                                    {"pantryd_archive_last_archived_timestamp_seconds", {}, 1e9},
                                    backup("pantryd_backup_count", "base", 1)})};
  EXPECT_EQ(judge_one("pitr", evidence).reason, Reason::not_tested);
  evidence.answers[query_with("pitr", "archive_command")].rows = {{"/bin/true"}};
  EXPECT_EQ(judge_one("pitr", evidence).verdict, Verdict::fail);
}

TEST(ClaimsTest, AStandbyWhoseReplayIsPausedFails) {
  const auto judged = [](double paused) {
    Evidence evidence;
    evidence.servers = {primary_with({{"pantryd_replication_standbys", {}, 1},
                                      {"pantryd_replication_total_bytes", {}, 0}}),
                        {.name = "standby", .up = true, .standby = true}};
    evidence.servers[1].metrics = {{"pantryd_standby_receiver_streaming", {}, 1},
                                   {"pantryd_standby_replay_paused", {}, paused}};
    return judge_one("replication", evidence).verdict;
  };
  EXPECT_EQ(judged(0), Verdict::inconclusive);
  EXPECT_EQ(judged(1), Verdict::fail);
}

TEST(ClaimsTest, TheShorterLimitOfAgeCounts) {
  Evidence evidence;
  evidence.servers = {primary_with({backup("pantryd_backup_readable", "pg_dump", 1),
                                    backup("pantryd_backup_age_seconds", "pg_dump", 60'000'000),
                                    backup("pantryd_backup_age_limit_seconds", "pg_dump", 3e8),
                                    backup("pantryd_backup_newest_failed", "pg_dump", 0)})};
  EXPECT_EQ(judge_one("backup-daily", evidence).verdict, Verdict::fail)
      << "695 days old, and the folder allows ten years";
}

TEST(ClaimsTest, MistakesInASheetArePointedAt) {
  const auto refused = [](const std::string& text) {
    try {
      (void)parse_claims(text, "c.yaml");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(refused("version: 1\nclaims: []\n"), HasSubstr("c.yaml:2:9: no claim"));
  EXPECT_THAT(refused("version: 1\nclaims:\n  - {id: a, text: b, check: magic}\n"),
              HasSubstr("\"magic\" is not one of"));
  EXPECT_THAT(refused("version: 1\nclaims:\n  - {id: a, text: b, check: throughput, at_least: 10, "
                      "offered: 5}\n"),
              HasSubstr("could not come out true"));
  const auto claim_with = [&](const std::string& keys) {
    return refused("version: 1\nclaims:\n  - {id: a, text: b, " + keys + "}\n");
  };
  EXPECT_EQ(claim_with("check: throughput, at_least: 10"), "accepted");
  EXPECT_THAT(claim_with("check: throughput, at_least: 10, offered: 10.1"),
              HasSubstr("c.yaml:3:64: offered is below 1.02 x at_least"));
  EXPECT_THAT(claim_with("check: throughput, at_least: 10, offered: 20, headroom: 30%"),
              HasSubstr("exclude each other"));
  EXPECT_EQ(claim_with("check: throughput, at_least: 10, headroom: 30%, p99: 1s"), "accepted");
  EXPECT_THAT(claim_with("check: throughput, at_least: 10, headroom: -1"), HasSubstr("c.yaml:3:"));
  EXPECT_THAT(claim_with("check: throughput, at_least: 1000000"), HasSubstr("1,000,000"));
  EXPECT_THAT(claim_with("check: users, at_least: 0.5"), HasSubstr("c.yaml:3:"));
  EXPECT_THAT(claim_with("check: users, at_least: 100000000"), HasSubstr("c.yaml:3:"));
  EXPECT_EQ(claim_with("check: users, at_least: 5000, connections: 50"), "accepted");
  EXPECT_THAT(claim_with("check: users, at_least: 5, connections: 50"), HasSubstr("c.yaml:3:"));
  EXPECT_THAT(claim_with("check: users, at_least: 5, users: 4"), HasSubstr("c.yaml:3:"));
  EXPECT_THAT(claim_with("check: users, at_least: 5, think: 1s, offered: 3"),
              HasSubstr("exclude each other"));
  EXPECT_THAT(claim_with("check: latency"), HasSubstr("needs a percentile"));
  EXPECT_THAT(claim_with("check: latency, limit: 1s, p99: 1s"), HasSubstr("the same"));
  EXPECT_EQ(claim_with("check: latency, p95: 1s, users: 40, repeat: 3"), "accepted");
  EXPECT_THAT(claim_with("check: latency, p99: 1s, workload: nowhere.yaml"),
              HasSubstr("c.yaml:3:"));
  EXPECT_THAT(claim_with("check: latency, p99: 1s, scale: {sales: 0}"), HasSubstr("c.yaml:3:"));
  EXPECT_THAT(claim_with("check: replication, lag_limit: 999TB"), HasSubstr("c.yaml:3:"));
  EXPECT_EQ(claim_with("check: replication, lag_limit: 1GB"), "accepted");
}

TEST(ClaimsTest, EveryMetricThatAClaimIsJudgedByIsOneOfAProbe) {
  const auto known = testing_support::metric_catalogue();
  for (const char* name : metric_names::kAll) EXPECT_EQ(known.count(name), 1U) << name;
}

TEST(ClaimsTest, EveryCheckHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const auto* check : checks()) {
    EXPECT_TRUE(names.insert(check->name).second) << check->name;
    EXPECT_EQ(find_check(check->name), check);
  }
  EXPECT_EQ(find_check("magic"), nullptr);
}

TEST(ClaimSheetTest, TheJsonNamesVerdictAndReason) {
  Report sheet;
  sheet.verdicts.resize(2);
  sheet.verdicts[0].pass();
  sheet.verdicts[1].inconclusive(Reason::unreadable);
  const auto json = nlohmann::json::parse(sheet.to_json());
  EXPECT_EQ(json["format"], "pantryd.validate");
  EXPECT_EQ(json["verdict"], "INCONCLUSIVE");
  EXPECT_TRUE(json["claims"][0]["reason"].is_null());
  EXPECT_EQ(json["claims"][1]["verdict"], "INCONCLUSIVE");
  EXPECT_EQ(json["claims"][1]["reason"], "unreadable");
}

TEST(ClaimSheetTest, TheJsonHasTheNumbersThatDecideWithLimitUnitAndSamples) {
  auto evidence = evidence_for("query-subsecond", load_with(400, 0, 500'000));
  evidence.loads[0].file = "load-paced.json";
  Report sheet;
  sheet.verdicts = {judge_one("query-subsecond", evidence),
                    judge_one("tps-1000", evidence_for("tps-1000", load_with(1100, 0, 1000)))};
  const auto json = nlohmann::json::parse(sheet.to_json())["claims"];
  const auto& p99 = json[0]["numbers"][0];
  EXPECT_EQ(p99["name"], "p99 of lookup");
  EXPECT_NEAR(p99["value"].get<double>(), 500, 10);
  EXPECT_EQ(p99["unit"], "ms");
  EXPECT_EQ(p99["at_most"], 1000);
  EXPECT_EQ(p99["samples"], 400);
  EXPECT_EQ(json[0]["runs"], nlohmann::json::array({"load-paced.json"}));
  EXPECT_EQ(json[1]["numbers"][0]["value"], 1100);
  EXPECT_EQ(json[1]["numbers"][0]["at_least"], 1000);
}

TEST(ClaimSheetTest, TheWorstVerdictIsTheWhole) {
  Report sheet;
  sheet.verdicts.resize(2);
  sheet.verdicts[0].verdict = Verdict::pass;
  sheet.verdicts[1].verdict = Verdict::pass;
  EXPECT_EQ(sheet.overall(), Verdict::pass);
  sheet.verdicts[1].verdict = Verdict::inconclusive;
  EXPECT_EQ(sheet.overall(), Verdict::inconclusive);
  sheet.verdicts[0].verdict = Verdict::fail;
  EXPECT_EQ(sheet.overall(), Verdict::fail);
}

TEST(ClaimSheetTest, TheHtmlIsOneFileAndEscapesWhatItShows) {
  Report sheet;
  sheet.verdicts.resize(1);
  sheet.verdicts[0].measured = "<script>alert(1)</script>";
  const auto html = sheet.to_html();
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, Not(HasSubstr("src=")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
}

}  // namespace
}  // namespace pantryd::validate
