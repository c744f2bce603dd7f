// The command line as a program: help, misspelt names, global options, and the exit code of a
// result that was printed but could not be written.
#include <gmock/gmock.h>

#include <filesystem>

#include "base/file.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing_support::dsn_of;
using testing_support::run_binary;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;

using Words = std::vector<std::string>;

ChildResult pantryd_run(const Words& words) {
  return run_binary(places::binary, words);
}

void expect_refused(const Words& words, const std::string& message, const std::string& hint) {
  const auto result = pantryd_run(words);
  EXPECT_EQ(result.exit_code, 2) << result.output;
  EXPECT_EQ(result.output, "pantryd: " + message + "\nHINT: " + hint + "\n");
}

TEST(CommandLineTest, HelpIsPrintedWithExitCodeZero) {
  for (const Words& words : {Words{"help"}, {"--help"}, {"-h"}}) {
    const auto result = pantryd_run(words);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, HasSubstr("\n  migrate up "));
  }
  for (const Words& words : {Words{"migrate", "--help"}, {"help", "migrate"}}) {
    const auto result = pantryd_run(words);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, AllOf(HasSubstr("\n  migrate up "), Not(HasSubstr("load run"))));
  }
  for (const Words& words : {Words{"load", "run", "--help"},
                             {"load", "run", "--rate", "5", "-h"},
                             {"help", "load", "run"}}) {
    const auto result = pantryd_run(words);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, AllOf(HasSubstr("--rate R|max"), HasSubstr("Exit codes:")));
  }
  EXPECT_EQ(pantryd_run({}).exit_code, 2) << "nothing was asked for";
}

TEST(CommandLineTest, AMisspeltNameIsAnsweredWithTheNearestOne) {
  expect_refused({"sead"}, "no command \"sead\"", "Did you mean seed?");
  expect_refused({"sead", "--help"}, "no command \"sead\"", "Did you mean seed?");
  expect_refused({"migrate", "stats"}, "no command \"migrate stats\"",
                 "Did you mean migrate status?");
  expect_refused({"seed", "--prodcts", "5"}, "unknown option --prodcts",
                 "Did you mean --products?");
  expect_refused({"--confg", "x", "check"}, "unknown option --confg", "Did you mean --config?");
  expect_refused({"--log-level", "wrn", "version"}, "--log-level wrn is unknown",
                 "Did you mean warn?");
  expect_refused({"version", "--dsn"}, "--dsn needs a value",
                 "Write --dsn CONNINFO, or --dsn=CONNINFO if the value begins with a dash.");
}

/// What bash offers after the words "pantryd WORDS... ".
std::string completed(const std::string& words) {
  const auto script = std::string("source <(") + places::binary + " completion bash); words=(" +
                      words + " ''); COMP_WORDS=(pantryd \"${words[@]}\"); " +
                      "COMP_CWORD=${#words[@]}; _pantryd; echo \" ${COMPREPLY[*]} \"";
  return run_binary("/bin/bash", {"-c", script}).output;
}

TEST(CommandLineTest, BashCompletesCommandsOptionsAndChoices) {
  EXPECT_THAT(completed(""),
              AllOf(HasSubstr(" seed "), HasSubstr(" migrate "), HasSubstr(" --dsn ")));
  EXPECT_THAT(completed("load"), AllOf(HasSubstr(" find-max "), Not(HasSubstr(" seed "))));
  EXPECT_THAT(completed("--json load run"), AllOf(HasSubstr(" --rate "), Not(HasSubstr(" run "))));
  EXPECT_THAT(completed("load run --mode"),
              AllOf(HasSubstr(" pipelined "), Not(HasSubstr(" --rate "))));
  EXPECT_THAT(completed("version --log-level"), HasSubstr(" debug "));
}

TEST(CommandLineTest, GlobalOptionsStandBeforeOrAfterTheCommand) {
  for (const Words& words : {Words{"--json", "version"}, {"version", "--json"}}) {
    const auto result = pantryd_run(words);
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_THAT(result.output, HasSubstr("\"pantryd.version\""));
  }
  EXPECT_THAT(pantryd_run({"--version"}).output, HasSubstr("libpq"));
}

class UnwrittenTest : public testing::Test {
 protected:
  UnwrittenTest() {
    write_file_atomically(workload_,
                          "version: 1\nname: nap\noperations:\n  - name: nap\n    weight: 1\n"
                          "    slo: {p99: 1s}\n    steps: [{sql: 'SELECT 1'}]\n");
  }

  [[nodiscard]] ChildResult load(const Words& more) const {
    Words words{"--json",     "--dsn",  dsn_of(shared_sandbox().primary()),
                "load",       "run",    "--workload",
                workload_,    "--rate", "20",
                "--duration", "1s",     "--warmup",
                "0s"};
    words.insert(words.end(), more.begin(), more.end());
    return pantryd_run(words);
  }

  const std::string folder_ = scratch_dir().string();
  const std::string workload_ = folder_ + "/nap.yaml";
};

TEST_F(UnwrittenTest, AResultThatCannotBeWrittenIsPrintedAndTheExitCodeIs9) {
  const auto missing = folder_ + "/no/such/folder/result";
  for (const Words& more :
       {Words{"--out", missing}, {"--html", missing}, {"--windows", "/dev/full"}}) {
    const auto result = load(more);
    EXPECT_EQ(result.exit_code, 9) << more[0] << "\n" << result.output;
    EXPECT_THAT(result.output, HasSubstr("\"format\": \"pantryd.load")) << more[0];
    EXPECT_THAT(result.output, HasSubstr("\npantryd: ")) << more[0];
  }
}

TEST_F(UnwrittenTest, AResultThatIsWrittenKeepsTheExitCodeOfItsVerdict) {
  const auto out = folder_ + "/result.json";
  const auto html = folder_ + "/result.html";
  const auto windows = folder_ + "/windows.jsonl";
  const auto result = load({"--out", out, "--html", html, "--windows", windows});
  EXPECT_NE(result.exit_code, 9) << result.output;
  for (const auto& file : {out, html, windows}) EXPECT_GT(std::filesystem::file_size(file), 0U);
}

TEST_F(UnwrittenTest, AReportOfClaimsThatCannotBeWrittenIsPrintedAndTheExitCodeIs9) {
  const auto claims = folder_ + "/claims.yaml";
  write_file_atomically(claims,
                        "version: 1\nclaims:\n"
                        "  - {id: pitr, text: an archive, check: archive}\n");
  const Words words{"--dsn", dsn_of(shared_sandbox().primary()), "validate", "--claims", claims,
                    "--out"};
  auto bad = words;
  bad.push_back(workload_ + "/below/a/file");
  const auto unwritten = pantryd_run(bad);
  EXPECT_EQ(unwritten.exit_code, 9) << unwritten.output;
  EXPECT_THAT(unwritten.output, HasSubstr("pitr"));
  auto good = words;
  good.push_back(folder_ + "/report");
  const auto written = pantryd_run(good);
  EXPECT_NE(written.exit_code, 9) << written.output;
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/report/report.html"));
}

}  // namespace
}  // namespace pantryd
