// The configuration file: defaults, errors with line and column, unknown keys.
#include "settings/settings.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/support/places.h"

namespace pantryd {
namespace {

using testing::HasSubstr;
using testing::Not;

Error refused(const std::string& text) {
  try {
    (void)Settings::parse(text, "p.yaml");
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "accepted: " << text;
  return {ExitCode::ok, "accepted"};
}

constexpr const char* kSmallest =
    "http: {listen: \"127.0.0.1:9788\"}\ntargets: [{name: main, dsn: \"postgresql://a:b@h/d\"}]\n";

TEST(SettingsTest, TheSmallestFileIsEnough) {
  const auto settings = Settings::parse(kSmallest, "p.yaml");
  EXPECT_EQ(settings.http.listen.all.front().port, 9788);
  ASSERT_EQ(settings.targets.size(), 1U);
  EXPECT_EQ(settings.targets[0].dsn.get("host"), "h");
}

TEST(SettingsTest, TheShippedFileIsValid) {
  EXPECT_NO_THROW((void)Settings::load(std::string(places::source_dir) + "/config/pantryd.yaml"));
}

TEST(SettingsTest, AnUnknownKeyIsAnErrorWithTheNearestKey) {
  const auto error = refused("http: {lisen: \"x\"}\ntargets: []\n");
  EXPECT_EQ(error.code(), ExitCode::usage);
  EXPECT_THAT(error.what(), HasSubstr("p.yaml:1:8: unknown key \"lisen\""));
  EXPECT_THAT(error.hint(), HasSubstr("\"listen\""));
}

TEST(SettingsTest, ErrorsPointAtLineAndColumn) {
  EXPECT_THAT(refused("targets:\n  - name: a\n").what(), HasSubstr("p.yaml:2:5: the key \"dsn\""));
  EXPECT_THAT(refused("http: {listen: nowhere}\ntargets: []\n").what(), HasSubstr("p.yaml:1:16"));
  EXPECT_THAT(refused("a: [1\n").what(), HasSubstr("not YAML"));
  EXPECT_THAT(refused("targets: []\n").what(), HasSubstr("no target"));
  EXPECT_THAT(refused("targets: [{name: a, dsn: host=x}, {name: a, dsn: host=y}]\n").what(),
              HasSubstr("two targets"));
  EXPECT_THAT(refused("probes: {lock_timeout: 0s}\ntargets: []\n").what(),
              HasSubstr("not a duration above zero"));
}

TEST(SettingsTest, NeitherShowNorAnErrorTellsAPassword) {
  EXPECT_THAT(Settings::parse(kSmallest, "p.yaml").show(), Not(HasSubstr(":b@")));
  const auto error =
      refused("targets: [{name: a, dsn: \"host=h password=hunter2 junk-hunter2\"}]\n");
  EXPECT_THAT(error.render(), Not(HasSubstr("hunter2")));
}

TEST(SettingsTest, WhatShowPrintsIsAValidConfiguration) {
  const auto shown =
      Settings::load(std::string(places::source_dir) + "/config/pantryd.yaml").show();
  EXPECT_EQ(Settings::parse(shown, "shown").show(), shown);
}

/// Text that breaks a naive writer: quotes, a backslash, a colon, a comment sign, a line end.
constexpr const char* kAwkward =
    "http: {listen: \"[::1]:9789\"}\n"
    "probes: {connect_timeout: 90500ms, lock_timeout: 1500ms, busy_share: 0.125, folder: "
    "\"/t\\\"mp\","
    " enable: ['a\"b', 'c\\d'], disable: [\"e: f # g\"]}\n"
    "targets:\n"
    "  - name: 'a\"b'\n"
    "    dsn: \"host=h,i port=1,2 dbname='a b' user='it\\\\'s' password=hunter2 sslmode=verify-full"
    " sslrootcert=/ca target_session_attrs=read-write application_name=x sslpassword=hunter3\"\n"
    "    password_file: \"/p\\\\q\"\n"
    "    databases: {include: [], exclude: ['x\"*']}\n"
    "    pgbouncer: {dsn: \"postgresql://u:hunter4@p:6432/pgbouncer?sslmode=require\","
    " password_file: \"a\\nb\"}\n"
    "    disks: {wal: \"/w\\\"al\"}\n"
    "    pool: {}\n"
    "    backups: [{name: 'n\"', kind: base, path: \"/b\\\"\", age_limit: 93784500ms}]\n"
    "  - {name: \"null\", dsn: \"postgresql://\", pool: {min: 1, lifetime: 3661s}}\n";

Settings without_passwords(Settings settings) {
  for (auto& target : settings.targets) {
    for (const char* secret : {"password", "sslpassword"}) {
      target.dsn = target.dsn.with(secret, "");
      if (target.pgbouncer) target.pgbouncer->dsn = target.pgbouncer->dsn.with(secret, "");
    }
  }
  return settings;
}

// Names were once written between quotes as they were, durations rounded to two units, and of a
// connection string only five words.
TEST(SettingsTest, WhatShowPrintsIsReadBackToTheSameSettings) {
  const auto settings = Settings::parse(kAwkward, "p.yaml");
  const auto shown = settings.show();
  const auto again = Settings::parse(shown, "shown");
  EXPECT_EQ(without_passwords(again), without_passwords(settings)) << shown;
  EXPECT_EQ(again.show(), shown);
  EXPECT_EQ(again.targets.at(0).dsn.get("sslmode"), "verify-full");
  EXPECT_EQ(again.targets.at(0).dsn.get("password"), "***");
  EXPECT_EQ(again.targets.at(0).pgbouncer->dsn.get("password"), "***");
  EXPECT_THAT(shown, Not(HasSubstr("hunter")));
  for (const char* file : {"pantryd", "development", "production"}) {
    const auto shipped =
        Settings::load(std::string(places::source_dir) + "/config/" + file + ".yaml");
    EXPECT_EQ(Settings::parse(shipped.show(), "shown"), shipped) << file;
  }
}

TEST(SettingsTest, SettingsThatDifferAreNotEqual) {
  const auto settings = Settings::parse(kAwkward, "p.yaml");
  auto other = settings;
  other.targets.at(0).databases.include = {"*"};
  EXPECT_FALSE(other == settings);
  other = settings;
  other.probes.connect_timeout += std::chrono::milliseconds(1);
  EXPECT_FALSE(other == settings);
}

TEST(SettingsTest, ARotatedPasswordIsReadAtTheNextLogin) {
  const auto file = std::filesystem::temp_directory_path() / "pantryd-password-test";
  write_file_atomically(file, "first\n");
  TargetSettings target;
  target.dsn = pg::Conninfo::parse("host=h");
  target.password_file = file;
  EXPECT_EQ(target.login().get("password"), "first");
  write_file_atomically(file, "second\n");
  EXPECT_EQ(target.login().get("password"), "second");
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace pantryd
