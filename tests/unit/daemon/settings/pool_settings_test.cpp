// The section pool: of the configuration file, by what a person may write into it.
#include <gmock/gmock.h>

#include "base/file.h"
#include "pool/pool.h"
#include "settings/settings.h"
#include "tests/support/places.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr const char* kTarget = "targets: [{name: main, dsn: host=h}]\n";

/// The section stands in line 1, its text begins at column 7.
Settings with_pool(const std::string& pool) {
  return Settings::parse("pool: " + pool + "\n" + kTarget, "p.yaml");
}

Error refused(const std::string& pool) {
  try {
    (void)with_pool(pool);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error;
  }
  ADD_FAILURE() << "accepted: " << pool;
  return {ExitCode::ok, "accepted"};
}

PoolKeys target_pool(const std::string& text) {
  return Settings::parse(text, "p.yaml").targets.at(0).pool;
}

std::string shipped(const std::string& name) {
  return std::string(places::source_dir) + "/config/" + name;
}

TEST(PoolSettingsTest, WithoutASectionTheDefaultsAreThoseOfTheApplicationInProduction) {
  const auto settings = Settings::parse(kTarget, "p.yaml");
  const auto& pool = settings.targets.at(0).pool;
  EXPECT_FALSE(pool.configured);
  EXPECT_EQ(pool.min, 10);
  EXPECT_EQ(pool.max, 100);
  EXPECT_EQ(pool.acquire_timeout, seconds(60));
  EXPECT_EQ(pool.connect_timeout, seconds(30));
  EXPECT_EQ(pool.idle_timeout, seconds(30));
  EXPECT_EQ(pool.leak_after, seconds(30));
  EXPECT_EQ(pool.reset, pg::Reset::tracked);
  EXPECT_EQ(pool.prepared, pg::Prepared::automatic);
}

TEST(PoolSettingsTest, EveryKeyIsReadAndReachesThePool) {
  const auto settings = with_pool(
      "{min: 1, max: 2, waiters_max: 3, connects_max: 4, acquire_timeout: 5s, connect_timeout: 6s, "
      "idle_timeout: 7s, lifetime: 8m, check_after: 9s, check_timeout: 250ms, backoff_first: 11ms, "
      "backoff_max: 12s, breaker_failures: 13, leak_after: 14s, reset: always, prepared: named}");
  const auto& keys = settings.targets.at(0).pool;
  EXPECT_TRUE(keys.configured);
  EXPECT_EQ(keys.leak_after, seconds(14));
  EXPECT_EQ(keys.reset, pg::Reset::always);
  EXPECT_EQ(keys.prepared, pg::Prepared::named);
  const auto pool = keys.to_pool_settings();
  EXPECT_EQ(pool.policy.size_min, 1);
  EXPECT_EQ(pool.policy.size_max, 2);
  EXPECT_EQ(pool.policy.waiters_max, 3);
  EXPECT_EQ(pool.policy.connects_max, 4);
  EXPECT_EQ(pool.acquire_timeout, seconds(5));
  EXPECT_EQ(pool.connect_timeout, seconds(6));
  EXPECT_EQ(pool.policy.idle_timeout, seconds(7));
  EXPECT_EQ(pool.policy.lifetime, minutes(8));
  EXPECT_EQ(pool.policy.check_after, seconds(9));
  EXPECT_EQ(pool.check_timeout, milliseconds(250));
  EXPECT_EQ(pool.leak_after, seconds(14));
  EXPECT_EQ(pool.policy.backoff_first, milliseconds(11));
  EXPECT_EQ(pool.policy.backoff_max, seconds(12));
  EXPECT_EQ(pool.policy.breaker_failures, 13);
  EXPECT_THAT(settings.warnings, IsEmpty());
}

TEST(PoolSettingsTest, ATargetOverridesSingleKeysAndKeepsTheOthers) {
  const auto settings = Settings::parse(
      "targets:\n  - {name: a, dsn: host=h, pool: {max: 20, idleTimeoutMillis: 5000}}\n"
      "  - {name: b, dsn: host=h}\n"
      "pool: {min: 3, max: 40, idle_timeout: 9s, acquire_timeout: 2s}\n",
      "p.yaml");
  const auto& own = settings.targets.at(0).pool;
  EXPECT_EQ(own.max, 20);
  EXPECT_EQ(own.idle_timeout, seconds(5));
  EXPECT_EQ(own.min, 3);
  EXPECT_EQ(own.acquire_timeout, seconds(2));
  const auto& shared = settings.targets.at(1).pool;
  EXPECT_EQ(shared.max, 40);
  EXPECT_EQ(shared.idle_timeout, seconds(9));
}

TEST(PoolSettingsTest, AnUnwrittenKeyYieldsToAWrittenOne) {
  EXPECT_EQ(with_pool("{max: 5}").pool.min, 5);
  EXPECT_EQ(with_pool("{acquire_timeout: 200ms}").pool.check_timeout, milliseconds(200));
  EXPECT_EQ(with_pool("{backoff_max: 20ms}").pool.backoff_first, milliseconds(20));
  EXPECT_EQ(with_pool("{backoff_first: 30s}").pool.backoff_max, seconds(30));
  // What a section above yielded to binds no section below it.
  EXPECT_EQ(target_pool("pool: {max: 5}\ntargets: [{name: a, dsn: host=h, pool: {max: 50}}]\n").min,
            10);
}

TEST(PoolSettingsTest, MinAboveMaxIsRefusedAtItsPlace) {
  const auto error = refused("{min: 20, max: 10}");
  EXPECT_THAT(error.what(), StartsWith("p.yaml:1:13: min (20) is above max (10)"));
  EXPECT_THAT(error.hint(), HasSubstr("raise max"));
  EXPECT_THAT(refused("{min: 101}").what(), HasSubstr("min (101) is above max (100, the default)"));
}

TEST(PoolSettingsTest, ATargetThatContradictsTheSharedSectionIsTheOneToBePointedAt) {
  try {
    (void)target_pool(
        "pool: {min: 10, max: 100}\ntargets:\n  - name: a\n    dsn: host=h\n"
        "    pool:\n      max: 5\n");
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), StartsWith("p.yaml:6:12: min (10) is above max (5)"));
  }
}

TEST(PoolSettingsTest, ZeroAndNegativeTimesAreRefusedForEveryTime) {
  int times = 0;
  for (const auto& key : pool_key_list()) {
    if (key.otherwise.find_first_of("smh") == std::string::npos || key.least.empty()) continue;
    ++times;
    for (const char* value : {"0s", "-1s", "0ms", "-250ms"}) {
      const auto error = refused("{" + key.name + ": " + value + "}");
      EXPECT_THAT(error.what(), AllOf(StartsWith("p.yaml:1:"), HasSubstr("duration above zero")))
          << key.name;
      EXPECT_THAT(error.hint(), HasSubstr("30s"));
    }
  }
  EXPECT_EQ(times, 9);
}

TEST(PoolSettingsTest, ANumberWithoutAUnitIsNoTime) {
  const auto error = refused("{acquire_timeout: 60000}");
  EXPECT_THAT(error.what(), StartsWith("p.yaml:1:25: \"60000\" is not a duration"));
  EXPECT_THAT(error.hint(), HasSubstr("unit"));
}

TEST(PoolSettingsTest, CountsOutOfBoundsAreRefusedWithTheBounds) {
  EXPECT_THAT(refused("{max: 0}").what(),
              StartsWith("p.yaml:1:13: \"0\" is not a whole number from 1 to 10000"));
  EXPECT_THAT(refused("{waiters_max: 0}").what(), HasSubstr("from 1 to 1000000"));
  EXPECT_THAT(refused("{connects_max: 0}").what(), HasSubstr("from 1 to 64"));
  EXPECT_THAT(refused("{connects_max: 65}").what(), HasSubstr("from 1 to 64"));
  EXPECT_THAT(refused("{breaker_failures: 0}").what(), HasSubstr("from 1 to 1000"));
  EXPECT_THAT(refused("{min: -1}").what(), HasSubstr("from 0 to 10000"));
  EXPECT_THAT(refused("{max: 10001}").what(), HasSubstr("from 1 to 10000"));
  EXPECT_THAT(refused("{max: 99999999999999999999}").what(), HasSubstr("from 1 to 10000"));
}

TEST(PoolSettingsTest, AbsurdlyLongTimesAreRefusedForEveryTime) {
  for (const auto& key : pool_key_list()) {
    if (key.otherwise.find_first_of("smh") == std::string::npos || key.least.empty()) continue;
    EXPECT_THAT(
        refused("{" + key.name + ": 3000d}").what(),
        AllOf(StartsWith("p.yaml:1:"), HasSubstr("must be from " + key.least + " to " + key.most)))
        << key.name;
  }
  EXPECT_THAT(refused("{lifetime: 100ms}").what(), HasSubstr("from 1s to 30d"));
}

TEST(PoolSettingsTest, TheFirstPauseMayNotExceedTheLongest) {
  const auto error = refused("{backoff_first: 2s, backoff_max: 1s}");
  EXPECT_THAT(error.what(),
              StartsWith("p.yaml:1:23: backoff_first (2s) is above backoff_max (1s)"));
}

TEST(PoolSettingsTest, ACheckMayNotTakeLongerThanTheWaitItIsAPartOf) {
  const auto error = refused("{check_timeout: 5s, acquire_timeout: 2s}");
  EXPECT_THAT(error.what(), HasSubstr("check_timeout (5s) is above acquire_timeout (2s)"));
  EXPECT_THAT(error.hint(), HasSubstr("part of the wait"));
}

TEST(PoolSettingsTest, ALifetimeShorterThanTheIdleTimeoutIsAllowedAndToldOf) {
  EXPECT_THAT(with_pool("{lifetime: 10s, idle_timeout: 20s}").warnings,
              ElementsAre(AllOf(StartsWith("p.yaml:1:"), HasSubstr("idle_timeout (20s) has no "
                                                                   "effect"))));
}

TEST(PoolSettingsTest, AnUnknownKeyIsRefusedWithTheNearestOne) {
  const auto error = refused("{acquire_timout: 5s}");
  EXPECT_THAT(error.what(), StartsWith("p.yaml:1:8: unknown key \"acquire_timout\""));
  EXPECT_EQ(error.hint(), "Did you mean \"acquire_timeout\"?");
  EXPECT_EQ(refused("{idleTimeoutMilis: 5}").hint(), "Did you mean \"idleTimeoutMillis\"?");
  EXPECT_THAT(refused("{afterCreate: x}").hint(), HasSubstr("acquire_timeout, "));
}

TEST(PoolSettingsTest, ValuesOfTheWrongTypeAreRefused) {
  EXPECT_THAT(refused("{max: many}").what(), HasSubstr("\"many\" is not a whole number"));
  EXPECT_THAT(refused("{max: 10.5}").what(), HasSubstr("\"10.5\" is not a whole number"));
  EXPECT_THAT(refused("{idle_timeout: soon}").what(), HasSubstr("\"soon\" is not a duration"));
  EXPECT_THAT(refused("{reset: sometimes}").what(),
              HasSubstr("\"sometimes\" is not one of: always, never, tracked"));
  EXPECT_THAT(refused("{prepared: yes}").what(),
              HasSubstr("is not one of: automatic, named, unnamed"));
  EXPECT_THAT(refused("{max: [1]}").what(), HasSubstr("\"max\" must be a single value"));
  EXPECT_THAT(refused("{max: {is: 1}}").what(), HasSubstr("\"max\" must be a single value"));
  EXPECT_THAT(refused("{max: }").what(), HasSubstr("\"max\" must be a single value"));
  EXPECT_THAT(refused("[10, 100]").what(), HasSubstr("p.yaml:1:7: expected keys and values"));
  EXPECT_THAT(refused("100").what(), HasSubstr("expected keys and values"));
}

TEST(PoolSettingsTest, AKeyThatIsThereTwiceIsRefused) {
  EXPECT_THAT(refused("{max: 10, max: 20}").what(), HasSubstr("\"max\" appears twice"));
}

TEST(PoolSettingsTest, TheNamesOfTarnAreTakenInMilliseconds) {
  const auto settings = with_pool(
      "{min: 10, max: 100, acquireTimeoutMillis: 60001, createTimeoutMillis: 30002, "
      "idleTimeoutMillis: 30003, createRetryIntervalMillis: 104, maxConnectionLifetimeMillis: "
      "600005}");
  const auto pool = settings.pool.to_pool_settings();
  EXPECT_EQ(pool.acquire_timeout, milliseconds(60'001));
  EXPECT_EQ(pool.connect_timeout, milliseconds(30'002));
  EXPECT_EQ(pool.policy.idle_timeout, milliseconds(30'003));
  EXPECT_EQ(pool.policy.backoff_first, milliseconds(104));
  EXPECT_EQ(pool.policy.lifetime, milliseconds(600'005));
  EXPECT_THAT(settings.warnings, ElementsAre(HasSubstr("is the first pause only")));
}

TEST(PoolSettingsTest, ThePoolOfTheApplicationIsTakenAsItStands) {
  const auto settings = with_pool(
      "{min: 5, max: 50, acquireTimeoutMillis: 60000, createTimeoutMillis: 30000, "
      "idleTimeoutMillis: 30000, destroyTimeoutMillis: 5000, reapIntervalMillis: 1000, "
      "createRetryIntervalMillis: 100}");
  EXPECT_EQ(settings.pool.max, 50);
  EXPECT_EQ(settings.warnings.size(), 3U);
}

TEST(PoolSettingsTest, WhatTarnHasAndThisPoolHasNotIsToldOfWithItsPlace) {
  EXPECT_THAT(with_pool("{reapIntervalMillis: 1000}").warnings,
              ElementsAre(AllOf(StartsWith("p.yaml:1:28: reapIntervalMillis has no effect: "),
                                HasSubstr("when they are due"))));
  EXPECT_THAT(with_pool("{destroyTimeoutMillis: 5000}").warnings,
              ElementsAre(HasSubstr("in the background")));
  EXPECT_THAT(with_pool("{maxConnectionLifetimeJitterMillis: 60000}").warnings,
              ElementsAre(HasSubstr("up to a tenth")));
  EXPECT_THAT(with_pool("{propagateCreateError: true}").warnings,
              ElementsAre(HasSubstr("a failed connect is tried again")));
  EXPECT_THAT(with_pool("{propagateCreateError: false}").warnings,
              ElementsAre(HasSubstr("do not wait for all of acquire_timeout")));
}

TEST(PoolSettingsTest, ValuesThatTarnItselfWouldRefuseAreRefused) {
  const auto error = refused("{idleTimeoutMillis: 30s}");
  EXPECT_THAT(error.what(), StartsWith("p.yaml:1:27: \"30s\" is not a whole number"));
  EXPECT_THAT(error.hint(), AllOf(HasSubstr("milliseconds"), HasSubstr("idle_timeout: 30s")));
  EXPECT_THAT(refused("{acquireTimeoutMillis: 0}").what(), HasSubstr("from 1 to 3600000"));
  EXPECT_THAT(refused("{reapIntervalMillis: 0}").what(), HasSubstr("from 1 to"));
  EXPECT_THAT(refused("{destroyTimeoutMillis: -5}").what(), HasSubstr("from 1 to"));
  EXPECT_THAT(refused("{propagateCreateError: 5}").what(), HasSubstr("neither true nor false"));
}

TEST(PoolSettingsTest, AKeyInBothSpellingsIsRefused) {
  for (const auto& key : pool_key_list()) {
    if (key.tarn.empty() || key.tarn == key.name) continue;
    const auto error = refused("{" + key.name + ": 5s, " + key.tarn + ": 5000}");
    EXPECT_THAT(error.what(), HasSubstr(key.name + " and " + key.tarn + " are the same setting"));
    EXPECT_EQ(error.hint(), "Keep one of the two.");
  }
}

TEST(PoolSettingsTest, ShowPrintsThePoolInForceAndIsReadBackToTheSame) {
  const auto settings = Settings::parse(
      "pool: {min: 2, lifetime: 90m, check_after: 1500ms, reset: never}\n"
      "targets: [{name: a, dsn: host=h, pool: {max: 7, acquireTimeoutMillis: 1234}},"
      " {name: b, dsn: host=h}]\n",
      "p.yaml");
  const auto shown = settings.show();
  EXPECT_THAT(shown, HasSubstr("pool:\n  min: 2\n  max: 100\n"));
  EXPECT_THAT(shown, HasSubstr("  lifetime: 90m\n"));
  EXPECT_THAT(shown, HasSubstr("  check_after: 1500ms\n"));
  EXPECT_THAT(shown, HasSubstr("    pool:\n      max: 7\n      acquire_timeout: 1234ms\n"
                               "  - name: \"b\""));
  const auto again = Settings::parse(shown, "shown");
  EXPECT_EQ(again.show(), shown);
  EXPECT_EQ(again.targets.at(0).pool.max, 7);
  EXPECT_EQ(again.targets.at(0).pool.acquire_timeout, milliseconds(1234));
}

TEST(PoolSettingsTest, TheShippedFilesAreValidAndCarryThePoolsOfTheApplication) {
  const auto development = Settings::load(shipped("development.yaml"));
  EXPECT_EQ(development.pool.min, 5);
  EXPECT_EQ(development.pool.max, 50);
  EXPECT_THAT(development.warnings, IsEmpty());
  const auto production = Settings::load(shipped("production.yaml"));
  EXPECT_EQ(production.pool.min, 10);
  EXPECT_EQ(production.pool.max, 100);
  EXPECT_EQ(production.targets.at(1).pool.max, 20);
  EXPECT_THAT(production.warnings, IsEmpty());
}

TEST(PoolSettingsTest, TheFileOfAllKeysHasEachWithItsDefaultAndItsBounds) {
  const auto text = read_file(shipped("pantryd.yaml"));
  const auto settings = Settings::load(shipped("pantryd.yaml"));
  auto defaults = PoolKeys();
  defaults.configured = true;
  EXPECT_EQ(settings.pool, defaults);
  for (const auto& key : pool_key_list()) {
    EXPECT_THAT(text, HasSubstr("\n  " + key.name + ": " + key.otherwise + "\n"));
    if (key.least.empty()) continue;
    EXPECT_THAT(text, HasSubstr(key.least + " to " + key.most + "."));
  }
}

/// The rows of a table in docs/pool.md that begin with this name; their cells.
std::vector<std::string> row_of(const std::string& text, const std::string& name) {
  std::vector<std::string> cells;
  const auto start = "\n| `" + name + "` |";
  const auto at = text.find(start);
  if (at == std::string::npos) return cells;
  const auto line = text.substr(at + 1, text.find('\n', at + 1) - at - 1);
  for (std::size_t from = 1; from < line.size();) {
    const auto end = std::min(line.find('|', from), line.size());
    cells.push_back(one_line(line.substr(from, end - from)));
    from = end + 1;
  }
  return cells;
}

TEST(PoolDocumentTest, EveryKeyHasARowWithItsDefaultAndItsBounds) {
  const auto text = read_file(std::string(places::source_dir) + "/docs/pool.md");
  for (const auto& key : pool_key_list()) {
    const auto row = row_of(text, key.name);
    ASSERT_EQ(row.size(), 5U) << key.name;
    EXPECT_EQ(row[3].substr(0, row[3].find(',')), key.otherwise) << key.name;
    EXPECT_EQ(row[4], key.least.empty() ? "" : key.least + " to " + key.most) << key.name;
    if (key.tarn.empty()) continue;
    EXPECT_THAT(text, HasSubstr("\n| `" + key.tarn + "` | `" + key.name + "` |"));
  }
  for (const auto& name : pool_names_without_effect()) EXPECT_EQ(row_of(text, name).size(), 3U);
}

TEST(PoolDocumentTest, EveryRefusalHasARowAndEveryCauseIsNamed) {
  const auto text = read_file(std::string(places::source_dir) + "/docs/pool.md");
  for (int i = 0; i < pool::kRefusals; ++i) {
    const std::string name(to_string(static_cast<pool::Refusal>(i)));
    EXPECT_EQ(row_of(text, name).size(), 3U) << name;
  }
  const auto closes = row_of(text, "pantryd_pool_closes_total{cause}");
  ASSERT_EQ(closes.size(), 3U);
  for (int i = 0; i < pool::kCloseCauses; ++i) {
    const std::string name(to_string(static_cast<pool::CloseCause>(i)));
    EXPECT_THAT(closes[2], HasSubstr("`" + name + "`"));
  }
  const auto failures = row_of(text, "pantryd_pool_create_failures_total{cause}");
  ASSERT_EQ(failures.size(), 3U);
  for (int i = 0; i < pool::kConnectFailures; ++i) {
    const std::string name(to_string(static_cast<pool::ConnectFailure>(i)));
    EXPECT_THAT(failures[2], HasSubstr("`" + name + "`"));
  }
}

TEST(PoolDocumentTest, ItsExampleIsAValidFile) {
  const auto text = read_file(std::string(places::source_dir) + "/docs/pool.md");
  const auto begin = text.find("```yaml\n") + 8;
  const auto settings = Settings::parse(text.substr(begin, text.find("```", begin) - begin), "doc");
  EXPECT_EQ(settings.targets.at(0).pool.max, 100);
  EXPECT_EQ(settings.targets.at(1).pool.max, 20);
  EXPECT_EQ(settings.targets.at(1).pool.min, 10);
}

}  // namespace
}  // namespace pantryd
