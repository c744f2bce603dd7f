// Conninfo, LSNs, WAL segment names and the messages of failed connects.
#include <gmock/gmock.h>

#include "pg/conninfo.h"
#include "pg/internal/connect.h"
#include "pg/lsn.h"

namespace pantryd::pg {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ConninfoTest, NeverShowsItsPassword) {
  for (const char* text : {"host=db1 port=6000 user=app password=hunter2 dbname=shop",
                           "postgresql://app:hunter2@db1:6000/shop",
                           "host=db1 port=6000 user=app password='hunter2' dbname=shop"}) {
    const auto where = Conninfo::parse(text);
    EXPECT_EQ(where.display(), "host=db1 port=6000 dbname=shop user=app") << text;
    EXPECT_THAT(where.mask("it said hunter2 to me"), Not(HasSubstr("hunter2")));
    EXPECT_THAT(where.reveal(), HasSubstr("hunter2"));
  }
}

TEST(ConninfoTest, AMalformedOneIsNotRepeatedInTheError) {
  for (const char* text : {"host=db1 password=hunter2 oops-hunter3",
                           "postgresql://app:hunter2@db1:6000:7/shop?x=hunter3",
                           "host=db1 password='hunter2", "nonsense=hunter2"}) {
    try {
      (void)Conninfo::parse(text);
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      EXPECT_THAT(error.render(), Not(HasSubstr("hunter")));
      EXPECT_THAT(error.hint(), Not(testing::IsEmpty()));
    }
  }
}

TEST(ConninfoTest, AValueWithQuotesSurvivesTheRoundTrip) {
  const auto where = Conninfo::parse("host=db1").with("password", R"(it's a \ "word")");
  EXPECT_EQ(Conninfo::parse(where.reveal()).get("password"), R"(it's a \ "word")");
}

TEST(MaskSecretsTest, FindsPasswordsInFreeText) {
  EXPECT_EQ(mask_secrets("password=abc host=x"), "password=*** host=x");
  EXPECT_EQ(mask_secrets("PASSWORD = 'a b c' host=x"), "PASSWORD = *** host=x");
  EXPECT_EQ(mask_secrets("postgres://u:abc@h/db"), "postgres://u:***@h/db");
}

TEST(ConnectFailureTest, CarriesTheSqlstateAndAHint) {
  const auto where = Conninfo::parse("host=db1 user=app");
  const auto error = describe_connect_failure(
      where,
      "connection to server at \"db1\" (10.0.0.1), port 5432 failed: FATAL:  28P01: password "
      "authentication failed for user \"app\"\nLOCATION:  auth_failed, auth.c:335\n");
  EXPECT_EQ(error.failure(), Failure::refused);
  EXPECT_EQ(error.sqlstate(), "28P01");
  EXPECT_EQ(error.code(), ExitCode::unreachable);
  EXPECT_STREQ(error.what(),
               "cannot connect to host=db1 user=app: password authentication failed for user "
               "\"app\"");
}

// lc_messages translates the severity, and a refused login was "unreachable".
TEST(ConnectFailureTest, ASeverityMayBeInAnyLanguage) {
  for (const char* severity : {"FATAL", "ВАЖНО", "ПОМИЛКА", "致命错误", "치명적오류", "ÖLÜMCÜL"}) {
    const auto error = describe_connect_failure(
        Conninfo::parse("host=db1"),
        "connection to server at \"::1\", port 5432 failed: " + std::string(severity) +
            ":  28000: no pg_hba.conf entry\nLOCATION:  x\n");
    EXPECT_EQ(error.failure(), Failure::refused) << severity;
    EXPECT_EQ(error.sqlstate(), "28000") << severity;
  }
}

TEST(CopiedRowTest, EscapesStandForBytesAndNullIsNoText) {
  const CopiedRow expected{"a\tb", std::nullopt, "\\N", "", "line\nline\\"};
  EXPECT_EQ(parse_copied_row("a\\tb\t\\N\t\\\\N\t\tline\\nline\\\\\n"), expected);
  EXPECT_EQ(parse_copied_row(""), CopiedRow{""});
}

TEST(ConnectFailureTest, ARefusedPortIsUnreachable) {
  const auto error = describe_connect_failure(
      Conninfo::parse("host=db1"),
      "connection to server at \"db1\" (10.0.0.1), port 1 failed: Connection refused\n\tIs the "
      "server running on that host and accepting TCP/IP connections?\n");
  EXPECT_EQ(error.failure(), Failure::unreachable);
  EXPECT_STREQ(error.what(), "cannot connect to host=db1: Connection refused");
}

TEST(ConnectFailureTest, FullServersAndStartingOnesAreToldApart) {
  const auto where = Conninfo::parse("host=db1");
  EXPECT_EQ(
      describe_connect_failure(where, "x failed: FATAL:  53300: sorry, too many clients").failure(),
      Failure::too_many);
  EXPECT_EQ(
      describe_connect_failure(where, "x failed: FATAL:  57P03: the database system is").failure(),
      Failure::starting);
}

TEST(LsnTest, ReadsAndWritesBothHalves) {
  EXPECT_EQ(Lsn::parse("16/B374D848")->bytes, 0x16B374D848ULL);
  EXPECT_EQ(Lsn{0x16B374D848ULL}.to_string(), "16/B374D848");
  for (const char* bad : {"", "16", "16/", "/16", "16/XYZ", "123456789/0"}) {
    EXPECT_EQ(Lsn::parse(bad), std::nullopt) << bad;
  }
}

TEST(WalSegmentTest, CountsThroughTheLogsAtAnySegmentSize) {
  constexpr std::uint64_t mib = 1U << 20U;
  const auto segment = WalSegment::parse("00000002000000010000000A", 16 * mib);
  ASSERT_TRUE(segment);
  EXPECT_EQ(segment->timeline, 2U);
  EXPECT_EQ(segment->number, 256U + 10U);
  EXPECT_EQ(segment->name(16 * mib), "00000002000000010000000A");
  EXPECT_EQ(WalSegment::parse("0000000100000001000000FF", 64 * mib), std::nullopt);
}

TEST(WalSegmentTest, RefusesNamesThatOnlyBeginLikeASegment) {
  // A history file begins with the segment's 24 digits: taking it for the segment hides a hole.
  for (const char* bad : {"000000010000000000000001.00000028.backup", "00000002.history",
                          "000000010000000000000001.partial", "00000001000000000000000g"}) {
    EXPECT_EQ(WalSegment::parse(bad, 16U << 20U), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace pantryd::pg
