// One grammar of header lines for the runner, which refuses, and for the linter, which reads on.
#include <gmock/gmock.h>

#include "base/error.h"
#include "migrate/files/header.h"
#include "migrate/files/migration.h"
#include "migrate/lint/file.h"

namespace pantryd::migrate {
namespace {

using testing::ElementsAre;

TEST(HeaderTest, ALineKnowsItsSectionAndWhetherAStatementStandsAboveIt) {
  std::vector<Section> sections;
  std::vector<bool> open;
  each_line("-- why\n-- migrate:up\nSELECT 1;\n-- c\n-- migrate:down\nSELECT 2;",
            [&](const auto& line) {
              sections.push_back(line.section);
              open.push_back(line.open);
              EXPECT_EQ(line.number, static_cast<int>(sections.size()));
            });
  EXPECT_THAT(sections, ElementsAre(Section::above, Section::up, Section::up, Section::up,
                                    Section::down, Section::down));
  EXPECT_THAT(open, ElementsAre(true, true, false, false, true, false));
}

TEST(HeaderTest, AHeaderIsKnownByItsFirstWordAndKeepsItsValue) {
  std::vector<HeaderKind> kinds;
  std::vector<std::string> values;
  each_line(
      "-- migrate: lock-timeout\t 2s \n-- migrate:no-transaction\n-- migrate:allow r because x y\n"
      "-- migrate:up and more\n-- migrate:other\n -- migrate:up\n",
      [&](const auto& line) {
        if (!line.header) return;
        kinds.push_back(line.header->kind);
        values.emplace_back(line.header->value);
      });
  EXPECT_THAT(kinds, ElementsAre(HeaderKind::lock_timeout, HeaderKind::no_transaction,
                                 HeaderKind::allow, HeaderKind::unknown, HeaderKind::unknown));
  EXPECT_THAT(values, ElementsAre("2s", "", "r because x y", "and more", ""));
}

TEST(HeaderTest, RunnerAndLinterReadAnAllowanceAlike) {
  for (const auto* head : {"drop-table because it was never used", "drop-table\tbecause\t a  b ",
                           "drop-table because because"}) {
    const auto text =
        "-- migrate:allow " + std::string(head) + "\r\n-- migrate:up\r\nDROP TABLE t;";
    const auto run = parse_file("7_x.sql", text).allowances.at(0);
    const auto lint = read_lint_file("7_x.sql", text).allows.at(0);
    EXPECT_EQ(run.rule, "drop-table");
    EXPECT_EQ(run.rule, lint.rule);
    EXPECT_EQ(run.reason, lint.reason);
    EXPECT_NE(run.reason, "");
    EXPECT_EQ(run.line, lint.line);
  }
  for (const auto* head : {"drop-table", "drop-table because", "drop-table for because x", ""}) {
    const auto text = "-- migrate:allow " + std::string(head) + "\n-- migrate:up\nDROP TABLE t;";
    EXPECT_THROW((void)parse_file("7_x.sql", text), Error) << head;
    EXPECT_THROW((void)read_lint_file("7_x.sql", text), Error) << head;
  }
}

TEST(HeaderTest, TheLinterReadsWhatTheRunnerRefuses) {
  const std::string text =
      "-- migrate:colour red\n-- migrate:up\nDROP TABLE a;\n-- migrate:no-transaction\n"
      "-- migrate:up\nDROP TABLE b;\n";
  EXPECT_THROW((void)parse_file("7_x.sql", text), Error);
  const auto file = read_lint_file("7_x.sql", text);
  EXPECT_FALSE(file.in_transaction);
  EXPECT_NE(file.sql.find("DROP TABLE a"), std::string::npos);
  EXPECT_NE(file.sql.find("DROP TABLE b"), std::string::npos);
}

}  // namespace
}  // namespace pantryd::migrate
