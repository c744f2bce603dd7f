// Names in the configuration that the settings cannot check themselves.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
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

Settings with_probes(const std::string& probes) {
  return Settings::parse("probes:\n  " + probes + "\ntargets: [{name: main, dsn: host=h}]\n",
                         "p.yaml");
}

// A misspelt probe was once accepted, and the probe that was meant ran on.
TEST(NamesTest, AnUnknownProbeIsRefusedWithItsPlaceAndTheNearestName) {
  const auto disabled = refused(with_probes("disable: [size, bakup]"));
  EXPECT_THAT(disabled.what(), StartsWith("p.yaml:2:19: unknown probe \"bakup\""));
  EXPECT_EQ(disabled.hint(), "Did you mean \"backup\"?");
  const auto enabled = refused(with_probes("enable: [migratons]"));
  EXPECT_THAT(enabled.what(), StartsWith("p.yaml:2:12: unknown probe \"migratons\""));
  EXPECT_EQ(enabled.hint(), "Did you mean \"migrations\"?");
  EXPECT_THAT(refused(with_probes("disable: [nonsense]")).hint(), HasSubstr("pantryd probes list"));
}

TEST(NamesTest, EveryProbeIsAName) {
  const ProbeList list{ProbeSettings{}};
  for (const auto& name : list.names()) {
    EXPECT_NO_THROW(check_names(with_probes("disable: [" + name + "]"))) << name;
    EXPECT_NO_THROW(check_names(with_probes("enable: [" + name + "]"))) << name;
  }
}

TEST(NamesTest, TheOperatorsOwnProbesAreNames) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("pantryd-names-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  write_file_atomically(folder / "shop.yaml",
                        "name: shop_orders\nsummary: Orders.\nqueries:\n  - sql: SELECT 1 AS n\n"
                        "    metrics: [{name: shop_n, column: n, type: gauge, help: N.}]\n");
  const auto with_folder = [&](const std::string& name) {
    return with_probes("disable: [" + name + "]\n  folder: " + folder.string());
  };
  EXPECT_NO_THROW(check_names(with_folder("shop_orders")));
  EXPECT_EQ(refused(with_folder("shop_order")).hint(), "Did you mean \"shop_orders\"?");
  EXPECT_THROW(check_names(with_probes("disable: [shop_orders]")), Error) << "without the folder";
  std::filesystem::remove_all(folder);
}

TEST(NamesTest, NoProbeIsMadeOfAnUnknownKindOfBackup) {
  EXPECT_THROW((void)probe_list(with_backup("pgbackrest")), Error);
  EXPECT_NO_THROW((void)probe_list(with_backup("base")));
}

}  // namespace
}  // namespace pantryd
