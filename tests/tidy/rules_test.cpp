// Each rule of tidy on a small tree that breaks it, beside one that does not.
#include <gmock/gmock.h>

#include "base/file.h"
#include "tests/support/shared_sandbox.h"
#include "tests/tidy/code.h"
#include "tests/tidy/docs.h"
#include "tests/tidy/includes.h"
#include "tests/tidy/limits.h"
#include "tests/tidy/offenders.h"
#include "tests/tidy/probe_files.h"
#include "tests/tidy/tools.h"
#include "tests/tidy/words.h"

namespace pantryd::tidy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// "path:line" of each.
std::vector<std::string> places_of(const Findings& findings) {
  std::vector<std::string> out;
  out.reserve(findings.size());
  for (const auto& finding : findings) {
    out.push_back(finding.path + ":" + std::to_string(finding.line));
  }
  return out;
}

std::string lines(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i) text += line + "\n";
  return text;
}

TEST(CodeTest, LiteralsAreFoundAndNotCommentsOrCharacters) {
  const auto found = literals_of(
      "// \"no\"\nf(\"a\\\"b\", '\"', 1'000);  /* \"no\" */\ng(R\"x(raw \" text)x\"\n  \" "
      "joined\");\n");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].text, "a\\\"b");
  EXPECT_EQ(found[0].line, 2);
  EXPECT_THAT(found[1].text, HasSubstr("raw \" text"));
  EXPECT_THAT(found[1].text, HasSubstr(" joined"));
}

TEST(CodeTest, AFunctionIsCountedFromItsBraceAndALambdaWithIt) {
  const auto found = functions_of(
      "namespace a {\nclass B {\n public:\n  B() : c_{1}, d_(2) {\n    run([] {\n    });\n  }\n"
      "  std::random g = any{}();\n  int c_ = {3};\n};\nstruct D {\n  int e;\n};\nint f(int a) {\n "
      " return a;\n}\n}\n");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].line, 4);
  EXPECT_EQ(found[0].lines, 4);
  EXPECT_EQ(found[1].line, 14);
  EXPECT_EQ(found[1].lines, 3);
}

TEST(ArrowsTest, AnArrowUpIsFound) {
  const Tree tree = {{"daemon/base/a.h", "#include \"pg/b.h\"\n"},
                     {"daemon/pg/b.h", "#include \"base/a.h\"\n#include \"b.h\"\n"},
                     {"daemon/new/c.h", "#include \"base/a.h\"\n"},
                     {"daemon/pg/d.h", "#include \"base/missing.h\"\n#include <vector>\n"}};
  EXPECT_THAT(places_of(check_arrows(tree, allowed_arrows())),
              ElementsAre("daemon/base/a.h:1", "daemon/new/c.h:1", "daemon/pg/d.h:1"));
}

TEST(ArrowsTest, TheTableHasNoCircleItself) {
  for (const auto& [from, row] : allowed_arrows()) {
    for (const auto& to : row) {
      const auto back = allowed_arrows().find(to);
      ASSERT_NE(back, allowed_arrows().end()) << to;
      EXPECT_THAT(back->second, testing::Not(testing::Contains(from))) << to << " and " << from;
    }
  }
}

TEST(CirclesTest, ACircleOfThreeFoldersIsFoundAndALadderIsNot) {
  Tree tree = {{"loadgen/a/a.h", "#include \"loadgen/b/b.h\"\n"},
               {"loadgen/b/b.h", "#include \"loadgen/c/c.h\"\n"},
               {"loadgen/c/c.h", ""}};
  EXPECT_THAT(check_circles(tree, "loadgen"), IsEmpty());
  tree["loadgen/c/c.h"] = "\n#include \"loadgen/a/a.h\"\n";
  EXPECT_THAT(places_of(check_circles(tree, "loadgen")),
              ElementsAre("loadgen/a/a.h:1", "loadgen/b/b.h:1", "loadgen/c/c.h:2"));
}

TEST(InternalTest, AnInternalHeaderIsForItsParentAlone) {
  const Tree tree = {
      {"daemon/pool/internal/ring.h", ""},
      {"daemon/pool/desk.h", "#include \"pool/internal/ring.h\"\n"},
      {"tests/unit/daemon/pool/ring_test.cpp", "#include \"pool/internal/ring.h\"\n"},
      {"daemon/serve/http.cpp", "#include \"pool/internal/ring.h\"\n"}};
  EXPECT_THAT(places_of(check_internal(tree)), ElementsAre("daemon/serve/http.cpp:1"));
}

TEST(LibpqTest, OnlyPgMayIncludeIt) {
  const Tree tree = {{"daemon/pg/a.cpp", "#include <libpq-fe.h>\n"},
                     {"daemon/cli/b.cpp", "#include <string>\n#include <libpq-fe.h>\n"},
                     {"loadgen/drive/c.cpp", "#include <libpq/libpq-fs.h>\n"}};
  EXPECT_THAT(places_of(check_libpq(tree)),
              ElementsAre("daemon/cli/b.cpp:2", "loadgen/drive/c.cpp:1"));
}

TEST(SizesTest, WhatIsTooLongIsFoundAndWhatJustFitsIsNot) {
  const auto function = [](int lines_inside) {
    return "void f() {\n" + lines(lines_inside, "  g();") + "}\n";
  };
  const Tree tree = {{"daemon/a.h", lines(121, "int a;")},   {"daemon/b.h", lines(120, "int a;")},
                     {"daemon/c.cpp", lines(401, "int a;")}, {"daemon/d.cpp", function(69)},
                     {"daemon/e.cpp", function(68)},         {"tests/unit/f.cpp", function(500)}};
  EXPECT_THAT(places_of(check_sizes(tree)),
              ElementsAre("daemon/a.h:0", "daemon/c.cpp:0", "daemon/d.cpp:1"));
}

TEST(ColumnsTest, CharactersAreCountedAndNotBytes) {
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "\xC3\xA4";
  const Tree tree = {{"daemon/a.cpp", "a " + std::string(98, 'b') + "\na " + std::string(99, 'b')},
                     {"daemon/b.cpp", "// " + std::string(120, 'a') + "\n" + umlauts + "\n"},
                     {"docs/c.md", "a " + std::string(120, 'b')}};
  EXPECT_THAT(places_of(check_columns(tree)), ElementsAre("daemon/a.cpp:2"));
}

TEST(CommentsTest, AFileWithoutAnOpeningCommentIsFound) {
  const Tree tree = {{"daemon/a.cpp", "// Reads the file in one pass.\n"},
                     {"daemon/b.cpp", "#include <string>\n"},
                     {"daemon/c.cpp", "// No state. More words follow.\n"},
                     {"daemon/d.cpp", ""},
                     {"daemon/e.cpp", "// Invariants:\n//   all is well.\n"}};
  EXPECT_THAT(places_of(check_opening_comments(tree)),
              ElementsAre("daemon/b.cpp:1", "daemon/c.cpp:1", "daemon/d.cpp:1"));
}

TEST(WordsTest, ABannedWordIsFoundInWhatOperatorsReadAndOnlyThere) {
  const Tree tree = {
      {"daemon/a.cpp", "// We shall tell.\nthrow Error(\"The file\\ntells more\");\n"},
      {"daemon/b.cpp", "log(\"retell, untold, tellers, marshall\");\n"},
      {"daemon/c.cpp", "log(\"a name that\"\n    \" is none\");\n"},
      {"probes/d.yaml", "# told in a comment\nhelp: \"What it is TOLD. # here\"\n"},
      {"run", "#!/usr/bin/env bash\n# anew\necho 'begin anew'\n"},
      {"docs/e.md", "told\n"}};
  EXPECT_THAT(places_of(check_words(tree)),
              ElementsAre("daemon/a.cpp:2", "daemon/c.cpp:1", "probes/d.yaml:2", "run:3"));
}

TEST(PathsTest, AFileThatDoesNotExistIsFound) {
  const Tree tree = {
      {"daemon/pool/desk.h", ""},
      {"docs/pool.md", ""},
      {"config/workloads/a.yaml", ""},
      {"README.md",
       "`daemon/pool/`, `daemon/{pool,cup}`, `config/workloads/*.yaml`, `config/*.yml`.\n"
       "```\nmigrations/NNN_name.sql docs/missing.md\n```\ndaemon/prose is not code.\n"
       "[pool](docs/pool.md#sizing) [gone](docs/gone.md) [web](https://a.example/docs)\n"},
      {"CHANGELOG.md", "`daemon/past`"}};
  EXPECT_THAT(places_of(check_paths(code_in_documents(tree), tree)),
              ElementsAre("README.md:1", "README.md:1", "README.md:3"));
  EXPECT_THAT(places_of(check_links(tree)), ElementsAre("README.md:6"));
}

Commands some_commands() {
  auto commands = read_commands(
      "Usage\n\nCommands:\n  migrate up     apply\n  migrate down   undo\n  serve          "
      "watch\n\n"
      "Global options:\n  --config FILE  where\n  --json         JSON\n");
  commands.help_of = [](const std::string& name) { return name == "serve" ? "--port" : "--to"; };
  return commands;
}

TEST(CommandsTest, ACommandOrOptionThatDoesNotExistIsFound) {
  const auto commands = some_commands();
  EXPECT_THAT(commands.names, ElementsAre("migrate down", "migrate up", "serve"));
  const std::vector<Mention> mentions = {
      {"a.md", 1, "pantryd serve --config FILE --port 1"},
      {"a.md", 2, "pantryd serve --prot 1"},
      {"a.md", 3, "pantryd --config FILE migrate up --to 3 | pantryd migrate sideways"},
      {"a.md", 4, "pantryd migrate"},
      {"a.cpp", 5, "Run pantryd drill restore."},
      {"a.cpp", 6, "Memory that pantryd holds."},
      {"a.cpp", 7, "pantryd migrate watch"},
      {"a.md", 9, "curl page | grep name   # what pantryd knows"},
      {"a.cpp", 10, "pantryd --help lists the commands."},
      {"a.cpp", 8, "see `pantryd migrate up`, then pantryd migrate down.\\n"}};
  EXPECT_THAT(places_of(check_commands(mentions, commands)),
              ElementsAre("a.md:2", "a.md:3", "a.cpp:5"));
}

TEST(KeysTest, AKeyThatDoesNotExistIsFound) {
  const auto keys = keys_of(
      "# Every key: what it means.\npool:\n  # Default: 3.\n  max: 3\n  # min: 1\ntargets:\n"
      "  - name: main\n    # disks: {data: /a, wal: /b}\n    pool:\n      max: 20\n");
  EXPECT_THAT(keys, ElementsAre("pool", "pool.max", "pool.min", "targets", "targets.disks",
                                "targets.disks.data", "targets.disks.wal", "targets.name",
                                "targets.pool", "targets.pool.max"));
  const std::vector<Mention> mentions = {{"a.md", 1, "pool.max: 5, pool.cpp, pool.min."},
                                         {"a.md", 2, "pool.maximum"},
                                         {"a.md", 3, "pg_hba.conf and targets.disks.data"}};
  EXPECT_THAT(places_of(check_keys(mentions, keys)), ElementsAre("a.md:2"));
}

TEST(MetricsTest, AMetricThatDoesNotExistIsFound) {
  const std::string metrics = "| `pantryd_pool_waiting` |\n| `pantryd_wait_seconds` |\n";
  const std::vector<Mention> mentions = {
      {"a.md", 1, "rate(pantryd_wait_seconds_bucket[5m]) > pantryd_pool_waiting"},
      {"a.md", 2, "pantryd_pool_waits"},
      {"a.md", 3, "pantryd_pool_*"},
      {"a.md", 4, "pantryd_fool_*"}};
  EXPECT_THAT(places_of(check_metrics(mentions, metrics)), ElementsAre("a.md:2", "a.md:4"));
}

TEST(ToolsTest, ShellcheckAndClangFormatFindWhatIsWrong) {
  const auto& root = testing_support::scratch_dir();
  const Tree tree = {{"good.sh", "#!/bin/bash\necho \"$1\"\n"},
                     {"bad.sh", "#!/bin/bash\nrm $1/*\n"},
                     {"good.cpp", "int a;\n"},
                     {"bad.cpp", "int   a ;\n"}};
  for (const auto& [path, text] : tree) write_file_atomically(root / path, text);
  const auto scripts = check_scripts(root, tree);
  ASSERT_FALSE(scripts.empty());
  for (const auto& finding : scripts) EXPECT_EQ(finding.path, "bad.sh");
  if (const auto clang_format = find_clang_format()) {
    EXPECT_THAT(places_of(check_format(root, tree, *clang_format)), ElementsAre("bad.cpp:1"));
  }
}

/// A probe's file with one query, whose SQL is in lines 4 and 5; its metrics begin in line 6.
std::string probe_file(const std::string& sql, const std::string& comment = "# none") {
  return "name: a\nqueries:\n" + std::string("  - sql: |\n      ") + sql +
         "\n\n    metrics:\n      - {name: b, help: \"The least(of) LIMITS\"}\n  " + comment + "\n";
}

TEST(ProbeFilesTest, WhatMakesUnknownValuesNumbersOrLeavesRowsOutIsFound) {
  for (const auto* const sql :
       {"SELECT greatest(0, now() - seen)", "SELECT least(1, done)", "SELECT coalesce(max(a), 0)",
        "SELECT coalesce(f(a, b),\n '0')", "SELECT coalesce(lsn, '0/0')", "SELECT a LIMIT 500",
        "SELECT current_database() AS datname", "SELECT count(*) FROM pg_stat_activity",
        "SELECT count(*) FROM pg_stat_replication r", "SELECT pg_last_wal_receive_lsn()"}) {
    EXPECT_THAT(check_probe_files({{"probes/a.yaml", probe_file(sql)}}), SizeIs(1)) << sql;
    EXPECT_THAT(check_probe_files({{"daemon/a.yaml", probe_file(sql)}}), IsEmpty()) << sql;
  }
}

TEST(ProbeFilesTest, WhatKeepsUnknownValuesUnknownIsNotFound) {
  for (const auto* const sql :
       {"SELECT CASE WHEN a < 0 THEN 0 ELSE a END", "SELECT coalesce(name, '')",
        "SELECT coalesce(one, two)", "SELECT a AS \"limit\", atleast(a)",
        "SELECT a WHERE b = current_database()",
        "SELECT count(*) FILTER (WHERE backend_type = 'c') FROM pg_stat_activity",
        "SELECT count(*) FROM pg_stat_replication_slots", "SELECT a FROM pg_stat_activity",
        "SELECT count(slot_type) FROM pg_stat_replication r",
        "SELECT pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()"}) {
    EXPECT_THAT(check_probe_files({{"probes/a.yaml", probe_file(sql)}}), IsEmpty()) << sql;
  }
}

TEST(ProbeFilesTest, AnExceptionNeedsAReasonAndSomethingThatItAllows) {
  const auto found = [](const std::string& sql, const std::string& comment) {
    return places_of(check_probe_files({{"probes/a.yaml", probe_file(sql, comment)}}));
  };
  const std::string sql = "SELECT least(1, a), least(2, a)";
  EXPECT_THAT(found(sql, "# tidy allows \"least(1, a)\": a is never NULL."),
              ElementsAre("probes/a.yaml:4"));
  EXPECT_THAT(found(sql, "# tidy allows \"least(\": a is never NULL."), IsEmpty());
  EXPECT_THAT(found(sql, "# tidy allows \"least(\""), SizeIs(3)) << "without a reason";
  EXPECT_THAT(found("SELECT a", "# tidy allows \"least(\": a is never NULL."),
              ElementsAre("probes/a.yaml:8"));
}

TEST(OffendersTest, KnownBreachesAreAllowedAndNewOnesAreNot) {
  const auto known = read_offenders("# comment\nsizes daemon/a 1\nsizes tests 2\n");
  const Findings findings = {
      {"daemon/a/b.h", 1, "x"}, {"tests/a/b.h", 1, "x"}, {"daemon/c/d.h", 1, "x"}};
  EXPECT_THAT(places_of(beyond("sizes", findings, known)), ElementsAre("daemon/c/d.h:1"));
  EXPECT_THAT(places_of(outdated("sizes", findings, known)), ElementsAre("tests:0"));
  EXPECT_THAT(beyond("other", findings, known), SizeIs(3));
}

}  // namespace
}  // namespace pantryd::tidy
