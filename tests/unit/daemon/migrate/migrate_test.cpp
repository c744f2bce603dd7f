// Migration files without a server: headers, statements, checksums and lock attempts.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/utf8.h"
#include "migrate/files/migration.h"
#include "migrate/run/blockers.h"
#include "migrate/run/execute.h"
#include "migrate/run/ladder.h"
#include "migrate/sql/split.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

std::string refusal(const std::string& name, const std::string& text) {
  try {
    (void)parse_file(name, text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "accepted";
}

std::vector<std::string> pieces(const std::string& sql) {
  std::vector<std::string> out;
  for (const auto& each : split(sql).statements) out.push_back(each.sql);
  return out;
}

TEST(MigrationFileTest, OptionsAboveTheSectionsHoldForBothAndThoseUnderAMarkForOne) {
  const auto file = parse_file("007_x.sql",
                               "-- A reason.\n-- migrate:lock-timeout 2s\n\n-- migrate:up\n"
                               "-- migrate:no-transaction\n-- migrate:statement-timeout 30min\n"
                               "SELECT 1;\n-- migrate:down\nSELECT 2;\n");
  EXPECT_EQ(file.up_options.lock_timeout, milliseconds(2000));
  EXPECT_EQ(file.down_options.lock_timeout, milliseconds(2000));
  EXPECT_FALSE(file.up_options.transaction);
  EXPECT_TRUE(file.down_options.transaction);
  EXPECT_EQ(file.up_options.statement_timeout, std::chrono::minutes(30));
}

TEST(MigrationFileTest, AnAllowanceKeepsItsRuleReasonAndLine) {
  const auto file =
      parse_file("007_x.sql",
                 "-- migrate:allow drop-column because nobody reads it\n-- migrate:up\nSELECT 1;");
  ASSERT_EQ(file.allowances.size(), 1U);
  EXPECT_EQ(file.allowances[0].rule, "drop-column");
  EXPECT_EQ(file.allowances[0].reason, "nobody reads it");
  EXPECT_EQ(file.allowances[0].line, 1);
}

TEST(MigrationFileTest, WhatRunsKeepsItsBlanksAndTheChecksumDoesNotLookAtThem) {
  const auto file = parse_file("007_x.sql", "-- migrate:up\r\nSELECT 'a  \r\nb';  \r\n");
  EXPECT_EQ(file.up, "\nSELECT 'a  \nb';  \n");
  EXPECT_EQ(file.checksum, parse_file("007_x.sql", "-- migrate:up\nSELECT 'a\nb';").checksum);
}

TEST(TextTest, WhatPostgresWouldRefuseIsFoundWithItsPlace) {
  for (const std::string& good :
       std::vector<std::string>{"", "a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF",
                                "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_EQ(find_not_text(good + "a"), std::nullopt);
  }
  for (const std::string& bad : std::vector<std::string>{
           std::string(1, '\0'), std::string("\x80"), std::string("\xC1\xBF"), std::string("\xC2"),
           std::string("\xE0\x9F\xBF"), std::string("\xED\xA0\x80"), std::string("\xE2\x82"),
           std::string("\xF0\x8F\xBF\xBF"), std::string("\xF4\x90\x80\x80"),
           std::string("\xF0\x90\x80"), std::string("\xFF")}) {
    EXPECT_EQ(find_not_text("ab" + bad + "c"), 2U);
  }
}

TEST(MigrationFileTest, WhatIsNotUnderstoodIsRefusedWithItsLine) {
  const std::string up = "-- migrate:up\n";
  EXPECT_THAT(refusal("1_x.sql", up + "-- migrate:no-transactions\nSELECT 1;"),
              HasSubstr("1_x.sql:2: unknown option -- migrate:no-transactions"));
  EXPECT_THAT(refusal("1_x.sql", up + "SELECT 1;\n-- migrate:no-transaction\n"),
              HasSubstr("1_x.sql:3: options stand above"));
  EXPECT_THAT(refusal("1_x.sql", "-- migrate:lock-timeout soon\n" + up + "SELECT 1;"),
              HasSubstr("is not a duration"));
  EXPECT_THAT(refusal("1_x.sql", "-- migrate:allow drop-column\n" + up + "SELECT 1;"),
              HasSubstr("needs a rule and a reason"));
  EXPECT_THAT(refusal("1_x.sql", "SELECT 0;\n" + up + "SELECT 1;"),
              HasSubstr("1_x.sql:1: there is SQL above"));
  EXPECT_THAT(refusal("1_x.sql", up + "SELECT 1;\n" + up + "SELECT 2;"), HasSubstr("1_x.sql:3"));
  EXPECT_THAT(refusal("1_x.sql", std::string("S\0E", 3)), HasSubstr("not UTF-8"));
  EXPECT_THAT(refusal("R_x.sql", up + "SELECT 1;\n-- migrate:down\nSELECT 2;"),
              HasSubstr("repeatable"));
  for (const auto* name : {"x.sql", "1.sql", "-1_x.sql", "_x.sql"}) {
    EXPECT_THAT(refusal(name, up + "SELECT 1;"), HasSubstr("not named like")) << name;
  }
  EXPECT_THAT(refusal("99999999999999999999_x.sql", up + "SELECT 1;"), HasSubstr("too large"));
  EXPECT_EQ(refusal("1_x.sql", "/* why\n*/\n" + up + "SELECT 1;"), "accepted");
}

TEST(SplitTest, QuotesCommentsAndBodiesAreThePostgresParsersBusiness) {
  EXPECT_EQ(
      pieces("SELECT $b$ ; $b$; SELECT E'\\';'; /* a /* ; */ b */ SELECT \"a;b\" -- ;\n;;").size(),
      3U);
  EXPECT_EQ(pieces("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3")
                .size(),
            2U);
  EXPECT_TRUE(pieces(" -- nothing\n").empty());
}

TEST(SplitTest, AStatementKnowsItsFirstLineAndBeginsWithItsFirstWord) {
  const auto out = split("-- é\nSELECT 1;\n\n/* two\n lines */ SELECT 2;\n");
  ASSERT_EQ(out.statements.size(), 2U);
  EXPECT_EQ(out.statements[0].line, 2);
  EXPECT_EQ(out.statements[1].line, 5);
  EXPECT_EQ(out.statements[1].sql, "SELECT 2");
}

TEST(SplitTest, WhatTheRunnerTreatsSpeciallyIsRecognised) {
  const auto kind = [](const std::string& sql) { return split(sql).statements.at(0).kind; };
  EXPECT_EQ(kind("CREATE INDEX CONCURRENTLY i ON t (x)"), StatementKind::create_index_concurrently);
  EXPECT_EQ(kind("CREATE UNIQUE INDEX i ON t (x)"), StatementKind::create_index);
  EXPECT_EQ(kind("DROP INDEX CONCURRENTLY i"), StatementKind::drop_index_concurrently);
  EXPECT_EQ(kind("DROP INDEX i"), StatementKind::plain);
  EXPECT_EQ(kind("REINDEX (CONCURRENTLY) TABLE t"), StatementKind::reindex_concurrently);
  EXPECT_EQ(kind("REINDEX TABLE t"), StatementKind::plain);
  EXPECT_EQ(kind("ALTER TABLE p DETACH PARTITION c CONCURRENTLY"),
            StatementKind::detach_concurrently);
  EXPECT_EQ(kind("begin"), StatementKind::transaction_control);
  EXPECT_EQ(kind("COPY t FROM stdin"), StatementKind::copy_from_stdin);
  EXPECT_EQ(kind("COPY t FROM '/f'"), StatementKind::plain);
  EXPECT_EQ(kind("SET search_path = a"), StatementKind::setting);
  EXPECT_EQ(kind("SET LOCAL search_path = a"), StatementKind::plain);
  const auto index =
      split("CREATE INDEX CONCURRENTLY IF NOT EXISTS \"I\" ON s.t (x)").statements[0];
  EXPECT_EQ(index.index, "I");
  EXPECT_EQ(index.index_schema, "s");
  EXPECT_EQ(index.table, "t");
  EXPECT_TRUE(index.if_not_exists);
}

TEST(SplitTest, AReindexKnowsWhatItNames) {
  const auto first = [](const std::string& sql) { return split(sql).statements.at(0); };
  const auto index = first("REINDEX INDEX CONCURRENTLY \"S 1\".\"I\"");
  EXPECT_EQ(index.reindex, ReindexOf::index);
  EXPECT_EQ(index.index_schema, "S 1");
  EXPECT_EQ(index.index, "I");
  EXPECT_EQ(index.table, "");
  const auto table = first("REINDEX (VERBOSE, CONCURRENTLY) TABLE t");
  EXPECT_EQ(table.reindex, ReindexOf::table);
  EXPECT_EQ(table.table, "t");
  EXPECT_EQ(table.index, "");
  EXPECT_EQ(first("REINDEX SCHEMA CONCURRENTLY s").reindex, ReindexOf::schema);
  EXPECT_EQ(first("REINDEX SCHEMA CONCURRENTLY s").index_schema, "s");
  EXPECT_EQ(first("REINDEX DATABASE CONCURRENTLY d").reindex, ReindexOf::database);
  EXPECT_EQ(first("REINDEX TABLE t").reindex, ReindexOf::nothing);
  EXPECT_EQ(first("REINDEX (CONCURRENTLY off) TABLE t").reindex, ReindexOf::nothing);
}

TEST(SplitTest, CommandsOfPsqlAndDataOfCopyAreToldApartFromSyntaxErrors) {
  const auto error = [](const std::string& sql) { return split(sql).error.value(); };
  EXPECT_EQ(error("SELECT 1;\n\\d t\n").reason, SplitError::Reason::meta_command);
  EXPECT_EQ(error("SELECT 1;\n\\d t\n").line, 2);
  EXPECT_EQ(error("COPY t (a) FROM STDIN;\n1\n\\.\n").reason, SplitError::Reason::copy_data);
  EXPECT_EQ(error("SELECT 'é';\n SELEC 1").reason, SplitError::Reason::syntax);
  EXPECT_EQ(error("SELECT 'é';\n SELEC 1").line, 2);
}

TEST(SplitTest, SyntaxNewerThanTheParserIsSentWholeToANewerServerAndOnlyInATransaction) {
  // Of no version yet: Debian 12 packages the parser of 15 and Debian 13 that of 17.
  const std::string sql = "SELECT 1;\nCREATE FUTURE THING t;\n";
  const auto plain = parse_file("1_x.sql", "-- migrate:up\n" + sql);
  const auto outside = parse_file("1_x.sql", "-- migrate:no-transaction\n-- migrate:up\n" + sql);
  const auto task = prepare_task(plain, Direction::up, std::nullopt, 990002);
  ASSERT_EQ(task.statements.size(), 1U);
  EXPECT_EQ(task.statements[0].sql, plain.up);
  EXPECT_THROW((void)prepare_task(plain, Direction::up, std::nullopt, 150018), Error);
  EXPECT_THROW((void)prepare_task(outside, Direction::up, std::nullopt, 990002), Error);
}

TEST(LadderTest, TheLockTimeoutClimbsToItsLimitAndPausesAreLongerThanTheWait) {
  Ladder ladder(milliseconds(800), std::chrono::hours(1));
  std::vector<std::int64_t> limits;
  for (int i = 0; i < 5; ++i) {
    limits.push_back(ladder.lock_timeout().count());
    const auto waited = ladder.lock_timeout();
    EXPECT_GE(ladder.climb().value(), waited);
  }
  EXPECT_THAT(limits, testing::ElementsAre(100, 200, 500, 800, 800));
  EXPECT_EQ(ladder.attempt(), 6);
}

TEST(LadderTest, ItEndsWithTheBudget) {
  Ladder ladder(milliseconds(800), milliseconds(0));
  EXPECT_FALSE(ladder.climb().has_value());
}

TEST(BlockerTest, AQueryIsShownOnOneLineWithoutSecrets) {
  EXPECT_EQ(shorten_query("ALTER ROLE a PASSWORD 'hunter2'"), "ALTER ROLE a PASSWORD ...");
  EXPECT_EQ(shorten_query("SELECT\n  1"), "SELECT 1");
  EXPECT_LT(shorten_query(std::string(1000, 'x')).size(), 130U);
}

TEST(BlockerTest, APreparedTransactionIsNamedAsSuch) {
  EXPECT_THAT(describe({Blocker{}}), HasSubstr("pg_prepared_xacts"));
}

}  // namespace
}  // namespace pantryd::migrate
