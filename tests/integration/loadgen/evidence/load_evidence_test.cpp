// What a load run takes down about its server, against a real one.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "loadgen/evidence/environment.h"
#include "tests/support/sessions.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing_support::connect;
using testing_support::shared_sandbox;
using testing_support::soon;

TEST(LoadEnvironmentTest, TheServersFingerprintIsReadAndIsThatOfThisHost) {
  auto connection = connect();
  connection.exec_script("CREATE TABLE IF NOT EXISTS printed (id int PRIMARY KEY, t text)", soon());
  const auto first = collect_environment(connection, std::nullopt, soon());
  EXPECT_TRUE(first.server_local);
  EXPECT_THAT(first.kernel, HasSubstr("Linux"));
  EXPECT_GE(first.cpu_count, 1);
  EXPECT_GT(first.memory_bytes, 1 << 20);
  EXPECT_EQ(first.server_version, testing_support::one(connection, "SHOW server_version"));
  EXPECT_EQ(first.schema_hash.size(), 32U);
  EXPECT_GE(first.rtt_us, 1);
  EXPECT_THAT(first.settings,
              Contains(ServerSetting{"fsync", testing_support::one(connection, "SHOW fsync")}));
  EXPECT_THAT(first.relations, Contains(testing::Field(&RelationSize::name, "public.printed")));
  EXPECT_THAT(differences(first, collect_environment(connection, std::nullopt, soon())),
              testing::IsEmpty());
  connection.exec_script("CREATE INDEX ON printed (t)", soon());
  const auto second = collect_environment(connection, std::nullopt, soon());
  connection.exec_script("DROP TABLE printed", soon());
  EXPECT_THAT(differences(first, second), testing::ElementsAre(HasSubstr("schema: ")));
}

TEST(LoadEnvironmentTest, SettingsThatMayHoldASecretAreNotShown) {
  auto connection = connect();
  const auto database = testing_support::one(connection, "SELECT current_database()");
  connection.exec_script("ALTER DATABASE " + database + " SET shop.jwt_key = 'of-the-vault'",
                         soon());
  auto fresh = connect();
  const auto seen = collect_environment(fresh, std::nullopt, soon());
  connection.exec_script("ALTER DATABASE " + database + " RESET shop.jwt_key", soon());
  const auto text = seen.to_json().dump();
  EXPECT_THAT(text, Not(HasSubstr("of-the-vault")));
  EXPECT_THAT(seen.settings, Contains(ServerSetting{"archive_command", "(not shown)"}));
}

TEST(LoadEnvironmentTest, ATableUnderAnExclusiveLockIsLeftOutAndNotWaitedFor) {
  auto holder = connect();
  auto reader = connect();
  holder.exec_script("CREATE TABLE held (a int); CREATE TABLE open_one (a int)", soon());
  holder.exec_script("BEGIN", soon());
  holder.exec_script("LOCK TABLE held IN ACCESS EXCLUSIVE MODE", soon());
  const auto sizes = read_relation_sizes(reader, soon());
  holder.exec_script("ROLLBACK", soon());
  holder.exec_script("DROP TABLE held, open_one", soon());
  EXPECT_THAT(sizes, Contains(testing::Field(&RelationSize::name, "public.open_one")));
  EXPECT_THAT(sizes, Not(Contains(testing::Field(&RelationSize::name, "public.held"))));
}

}  // namespace
}  // namespace pantryd::loadgen
