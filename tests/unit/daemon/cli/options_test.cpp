// The grammar of command lines: values by type, bounds, and errors that name the option.
#include "cli/options.h"

#include <gmock/gmock.h>

#include "base/error.h"

namespace pantryd::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Words = std::vector<std::string>;

std::vector<Option> rows() {
  return {
      flag("force", "empty the tables first"),
      text("out", "FILE", "", "where to write"),
      texts("allow", "NAME", "what is allowed"),
      choice("mode", "faithful|pipelined", "faithful", "round trips"),
      count("users", "N", "10", {1, 100}, "users"),
      number("width", "PERCENT", "5", {1, 50}, "width"),
      duration("budget", "10m", seconds(1), std::chrono::hours(1), "time"),
      size("memory", "256MB", {1024, 1e12}, "memory"),
      count("to", "VERSION", "", {}, "version"),
      argument("file", "FILE", "the file"),
  };
}

Values parsed(const Words& words, const std::vector<Option>& options = rows()) {
  return parse(options, words, "Usage: x.");
}

/// "MESSAGE | HINT" of the refusal.
std::string refusal(const Words& words, const std::vector<Option>& options = rows()) {
  try {
    (void)parsed(words, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return std::string(error.what()) + " | " + error.hint();
  }
  return "accepted";
}

TEST(OptionsTest, ValuesHaveTheirTypes) {
  const auto values =
      parsed({"--force",   "--out",     "a b",     "--allow", "x",        "y",    "--mode",
              "pipelined", "--users=7", "--width", "2.5",     "--budget", "1.5s", "--memory",
              "1MB",       "--to",      "12",      "--allow", "z",        "--",   "f.sql"});
  EXPECT_TRUE(values.flag("force"));
  EXPECT_EQ(values.text("out"), "a b");
  EXPECT_THAT(values.texts("allow"), ElementsAre("x", "y", "z"));
  EXPECT_EQ(values.text("mode"), "pipelined");
  EXPECT_EQ(values.count("users"), 7);
  EXPECT_EQ(values.number("width"), 2.5);
  EXPECT_EQ(values.duration("budget"), milliseconds(1500));
  EXPECT_EQ(values.bytes("memory"), 1 << 20);
  EXPECT_EQ(values.count("to"), 12);
  EXPECT_EQ(values.text("file"), "f.sql");
}

TEST(OptionsTest, DefaultsAreReadButDoNotCountAsGiven) {
  const auto values = parsed({});
  EXPECT_FALSE(values.flag("force"));
  EXPECT_EQ(values.text("out"), "");
  EXPECT_THAT(values.texts("allow"), IsEmpty());
  EXPECT_EQ(values.text("mode"), "faithful");
  EXPECT_EQ(values.count("users"), 10);
  EXPECT_EQ(values.number("width"), 5);
  EXPECT_EQ(values.duration("budget"), std::chrono::minutes(10));
  EXPECT_EQ(values.bytes("memory"), 256 << 20);
  for (const char* name : {"users", "to", "file", "mode"}) EXPECT_FALSE(values.given(name)) << name;
  EXPECT_TRUE(parsed({"--users", "10"}).given("users")) << "the default, but given";
  EXPECT_TRUE(parsed({"--out", ""}).given("out")) << "empty, but given";
}

TEST(OptionsTest, AnArgumentMayBeNamed) {
  EXPECT_EQ(parsed({"--file", "f.sql"}).text("file"), "f.sql");
  EXPECT_EQ(refusal({"a", "b"}), "unexpected argument \"b\" | Usage: x.");
  EXPECT_EQ(refusal({"a", "--file", "b"}), "FILE is given twice | Give it once.");
  const std::vector<Option> many{arguments("files", "FILE", "files")};
  EXPECT_THAT(parsed({"a", "b", "c"}, many).texts("files"), ElementsAre("a", "b", "c"));
}

TEST(OptionsTest, WhatMustBeGivenIsMissed) {
  const std::vector<Option> one{required(argument("name", "NAME", "its name"))};
  EXPECT_EQ(refusal({}, one), "NAME is missing | Usage: x.");
  EXPECT_EQ(parsed({"n"}, one).text("name"), "n");
}

TEST(OptionsTest, AValueOfTheWrongTypeIsRefused) {
  EXPECT_EQ(refusal({"--users", "many"}),
            "--users many is not a whole number | Write a whole number from 1 to 100.");
  EXPECT_EQ(refusal({"--users", "5x"}),
            "--users 5x is not a whole number | Write a whole number from 1 to 100.");
  EXPECT_THAT(refusal({"--users", "1.5"}), HasSubstr("is not a whole number"));
  EXPECT_EQ(refusal({"--width", "wide"}),
            "--width wide is not a number | Write a number from 1 to 50.");
  EXPECT_EQ(refusal({"--budget", "5"}),
            "--budget 5 is not a duration | Write a number and a unit: 250ms, 30s, 5m, 2h.");
  EXPECT_EQ(refusal({"--memory", "much"}),
            "--memory much is not a size | Write a number and a unit: 512kB, 10MB, 1GB.");
}

TEST(OptionsTest, AValueOutOfBoundsIsRefusedAndTheBoundsAreNot) {
  EXPECT_EQ(refusal({"--users", "0"}),
            "--users 0 is out of bounds | Write a whole number from 1 to 100.");
  EXPECT_THAT(refusal({"--users", "101"}), HasSubstr("out of bounds"));
  EXPECT_THAT(refusal({"--users=-5"}), HasSubstr("--users -5 is out of bounds"));
  EXPECT_THAT(refusal({"--users", "99999999999999999999"}), HasSubstr("out of bounds"));
  EXPECT_EQ(parsed({"--users", "1"}).count("users"), 1);
  EXPECT_EQ(parsed({"--users", "100"}).count("users"), 100);
  for (const char* bad : {"0.5", "50.1", "nan", "inf"}) {
    EXPECT_THAT(refusal({"--width", bad}), HasSubstr("out of bounds")) << bad;
  }
  EXPECT_EQ(refusal({"--budget", "2h"}),
            "--budget 2h is out of bounds | Write a duration from 1s to 1h.");
  EXPECT_EQ(refusal({"--to=-1"}), "--to -1 is out of bounds | Write a whole number, 0 or more.");
}

TEST(OptionsTest, AWordThatIsNoChoiceGetsTheNearestOne) {
  EXPECT_EQ(refusal({"--mode", "pipelind"}),
            "--mode pipelind is unknown | Did you mean pipelined?");
  EXPECT_EQ(refusal({"--mode", "x"}), "--mode x is unknown | Choose one of: faithful, pipelined.");
}

TEST(OptionsTest, AnUnknownOptionGetsTheNearestOne) {
  EXPECT_EQ(refusal({"--user", "5"}), "unknown option --user | Did you mean --users?");
  EXPECT_EQ(refusal({"--forse"}), "unknown option --forse | Did you mean --force?");
  EXPECT_EQ(refusal({"--nonsense"}), "unknown option --nonsense | Usage: x.");
  EXPECT_THAT(refusal({"--use", "5"}), HasSubstr("unknown option --use"))
      << "a name is never completed";
}

TEST(OptionsTest, AnOptionWithoutItsValueIsRefused) {
  EXPECT_EQ(refusal({"--out"}),
            "--out needs a value | Write --out FILE, or --out=FILE if the value begins with a "
            "dash.");
  EXPECT_THAT(refusal({"--out", "--force"}), HasSubstr("--out needs a value"));
  EXPECT_THAT(refusal({"--out", "--users=5"}), HasSubstr("--out needs a value"));
  EXPECT_EQ(parsed({"--out=--force"}).text("out"), "--force");
  EXPECT_EQ(parsed({"--out", "--unknown"}).text("out"), "--unknown") << "no option of ours";
  EXPECT_EQ(refusal({"--force=yes"}), "--force takes no value | Write --force alone.");
  EXPECT_EQ(refusal({"--out", "a", "--out", "b"}), "--out is given twice | Give it once.");
}

TEST(OptionsTest, WordsBehindTwoDashesPassThroughUnchanged) {
  const std::vector<Option> seal{required(text("file", "PATH", "", "the backup")),
                                 pass_through("COMMAND...", "the program that writes it")};
  const auto values = parsed({"--file", "a", "--", "pg_dump", "--file", "b", "--", "-x"}, seal);
  EXPECT_EQ(values.text("file"), "a");
  EXPECT_THAT(values.texts("--"), ElementsAre("pg_dump", "--file", "b", "--", "-x"));
  EXPECT_FALSE(parsed({"--file", "a"}, seal).given("--"));
  EXPECT_EQ(refusal({"--file", "a", "pg_dump"}, seal),
            "unexpected argument \"pg_dump\" | Usage: x.");
}

TEST(OptionsDeathTest, ReadingAnOptionThatDoesNotExistIsABug) {
  const auto values = parsed({});
  EXPECT_DEATH((void)values.count("no-such"), "invariant");
  EXPECT_DEATH((void)values.text("users"), "invariant") << "it is a count";
  EXPECT_DEATH((void)values.count("to"), "invariant") << "it has no default and is not given";
}

}  // namespace
}  // namespace pantryd::cli
