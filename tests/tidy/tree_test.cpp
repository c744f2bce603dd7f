// The rules of tidy on this repository. rules_test.cpp shows each rule failing on a bad input.
#include "tests/tidy/tree.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "tests/support/places.h"
#include "tests/tidy/docs.h"
#include "tests/tidy/includes.h"
#include "tests/tidy/limits.h"
#include "tests/tidy/offenders.h"
#include "tests/tidy/probe_files.h"
#include "tests/tidy/tools.h"
#include "tests/tidy/words.h"

namespace pantryd::tidy {
namespace {

class TidyTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { tree_ = read_tree(places::source_dir); }
  static void TearDownTestSuite() { tree_.clear(); }

  static const Tree& tree() { return tree_; }

  static std::string text(const std::string& path) {
    const auto file = tree_.find(path);
    return file == tree_.end() ? "" : file->second;
  }

  /// Fails for every finding that the table of known offenders does not have.
  static void expect_tidy(const std::string& rule, const Findings& findings) {
    const auto known = read_offenders(text("tests/tidy/offenders.txt"));
    for (const auto& finding : beyond(rule, findings, known)) {
      ADD_FAILURE() << rule << ": " << to_string(finding);
    }
    for (const auto& row : outdated(rule, findings, known)) {
      std::printf("shrink tests/tidy/offenders.txt: %s\n", to_string(row).c_str());
    }
    std::printf("%s: %zu known breaches are left\n", rule.c_str(), findings.size());
  }

 private:
  static inline Tree tree_;
};

std::string output_of(const std::string& command) {
  const auto result = run_child({{"sh", "-c", std::string(places::binary) + " " + command}},
                                Deadline::in(std::chrono::seconds(30)));
  if (!result.ok()) throw Error(ExitCode::failed, "pantryd " + command + ": " + result.tail());
  return result.output;
}

TEST_F(TidyTest, TheTreeIsRead) {
  EXPECT_GT(tree().size(), 400U);
  EXPECT_NE(text("daemon/base/error.h"), "");
  EXPECT_NE(text("run"), "");
  EXPECT_NE(text(".ci/run"), "");
}

TEST_F(TidyTest, FoldersIncludeOnlyWhatTheTableAllows) {
  expect_tidy("arrows", check_arrows(tree(), allowed_arrows()));
}

TEST_F(TidyTest, FoldersOfLoadgenMigrateAndProbesAreNoCircle) {
  Findings findings;
  for (const auto* const root : {"loadgen", "daemon/migrate", "probes"}) {
    const auto found = check_circles(tree(), root);
    findings.insert(findings.end(), found.begin(), found.end());
  }
  expect_tidy("circles", findings);
}

TEST_F(TidyTest, InternalHeadersStayInTheirFolder) {
  expect_tidy("internal", check_internal(tree()));
}

TEST_F(TidyTest, OnlyPgIncludesLibpq) {
  expect_tidy("libpq", check_libpq(tree()));
}

TEST_F(TidyTest, FilesAndFunctionsKeepTheirLimits) {
  expect_tidy("sizes", check_sizes(tree()));
}

TEST_F(TidyTest, LinesKeepTheirLimit) {
  expect_tidy("columns", check_columns(tree()));
}

TEST_F(TidyTest, FilesOpenWithAComment) {
  expect_tidy("comments", check_opening_comments(tree()));
}

TEST_F(TidyTest, OperatorsTextsHaveNoBannedWord) {
  expect_tidy("words", check_words(tree()));
}

TEST_F(TidyTest, ProbesMakeNothingUpAndLeaveNothingOutInSilence) {
  expect_tidy("probes", check_probe_files(tree()));
}

TEST_F(TidyTest, SourcesAreFormatted) {
  const auto clang_format = find_clang_format();
  if (!clang_format) {
    GTEST_SKIP() << "this machine has no clang-format " << kClangFormatMajor
                 << ": the format of the sources was not checked";
  }
  expect_tidy("format", check_format(places::source_dir, tree(), *clang_format));
}

TEST_F(TidyTest, ScriptsPassShellcheck) {
  expect_tidy("shellcheck", check_scripts(places::source_dir, tree()));
}

TEST_F(TidyTest, EveryCommandAndOptionThatIsNamedExists) {
  auto commands = read_commands(output_of("--help"));
  ASSERT_TRUE(commands.names.contains("migrate up"));
  std::map<std::string, std::string> helps;
  commands.help_of = [&](const std::string& name) {
    auto& help = helps[name];
    if (help.empty()) help = output_of(name + " --help");
    return help;
  };
  expect_tidy("commands", check_commands(code_in_documents(tree()), commands));
  expect_tidy("commands", check_commands(messages(tree()), commands));
}

TEST_F(TidyTest, EveryPathThatIsNamedExists) {
  expect_tidy("paths", check_paths(code_in_documents(tree()), tree()));
  expect_tidy("paths", check_paths(messages(tree()), tree()));
  expect_tidy("paths", check_links(tree()));
}

TEST_F(TidyTest, EveryConfigurationKeyThatIsNamedExists) {
  const auto keys = keys_of(text("config/pantryd.yaml"));
  ASSERT_TRUE(keys.contains("pool.max"));
  expect_tidy("keys", check_keys(code_in_documents(tree()), keys));
  expect_tidy("keys", check_keys(messages(tree()), keys));
}

TEST_F(TidyTest, EveryMetricThatIsNamedExists) {
  const auto metrics = text("docs/metrics.md");
  expect_tidy("metrics", check_metrics(code_in_documents(tree()), metrics));
}

}  // namespace
}  // namespace pantryd::tidy
