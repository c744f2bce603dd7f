// Names in the configuration that the settings cannot check themselves.
#include <gmock/gmock.h>

#include "base/error.h"
#include "probes/backup/reader.h"
#include "serve/targets.h"

namespace pantryd {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

Settings with_backup(const std::string& kind) {
  return Settings::parse(
      "targets:\n  - name: main\n    dsn: host=h\n    backups:\n      - {name: b, kind: " + kind +
          ", path: /b}\n",
      "p.yaml");
}

Error refused(const Settings& settings) {
  try {
    check_names(settings);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error;
  }
  ADD_FAILURE() << "accepted";
  return {ExitCode::ok, "accepted"};
}

TEST(NamesTest, EveryKindOfTheTableIsAKindOfBackup) {
  for (const auto& name : backup_kind_names()) {
    EXPECT_NO_THROW(check_names(with_backup(name))) << name;
  }
}

TEST(NamesTest, AnUnknownKindOfBackupIsRefusedWithItsPlace) {
  const auto slip = refused(with_backup("pg_dmp"));
  EXPECT_THAT(slip.what(), StartsWith("p.yaml:5:25: unknown kind of backup \"pg_dmp\""));
  EXPECT_EQ(slip.hint(), "Did you mean \"pg_dump\"?");
  EXPECT_THAT(refused(with_backup("pgbackrest")).hint(),
              AllOf(HasSubstr("base"), HasSubstr("pg_dump")));
}

TEST(NamesTest, NoProbeIsMadeOfAnUnknownKindOfBackup) {
  EXPECT_THROW((void)probe_list(with_backup("pgbackrest")), Error);
  EXPECT_NO_THROW((void)probe_list(with_backup("base")));
}

}  // namespace
}  // namespace pantryd
