// The linter against two lists: what it must flag and what it must leave alone.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"
#include "migrate/lint/file.h"
#include "migrate/lint/linter.h"
#include "tests/support/places.h"

namespace pantryd::migrate {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Case {
  const char* name;
  const char* sql;
  const char* rule = "";  ///< of the danger that is expected
  bool in_transaction = true;
};

void PrintTo(const Case& test, std::ostream* out) {
  *out << test.name;
}

std::vector<Finding> findings(std::string_view sql, bool in_transaction = true) {
  return lint({.sql = sql, .in_transaction = in_transaction, .sizes = {}, .allows = {}});
}

std::vector<std::string> dangers(const std::vector<Finding>& all) {
  std::vector<std::string> out;
  for (const auto& each : all) {
    if (each.severity == Severity::danger) out.push_back(each.rule);
  }
  return out;
}

std::vector<std::string> rules(const std::vector<Finding>& all) {
  std::vector<std::string> out;
  for (const auto& each : all) out.push_back(each.rule);
  return out;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.name;
}

constexpr bool kNoTransaction = false;

const Case kDangerous[] = {
    {"create_index", "CREATE INDEX i ON t (a);", "add-index-not-concurrent"},
    {"create_unique_index", "CREATE UNIQUE INDEX i ON s.t (lower(a));", "add-index-not-concurrent",
     kNoTransaction},
    {"drop_index", "DROP INDEX i;", "drop-index-not-concurrent"},
    {"reindex_table", "REINDEX TABLE t;", "reindex-not-concurrent"},
    {"reindex_index", "REINDEX INDEX i;", "reindex-not-concurrent"},
    {"concurrent_index_in_transaction", "CREATE INDEX CONCURRENTLY i ON t (a);",
     "concurrent-in-transaction"},
    {"concurrent_drop_in_transaction", "DROP INDEX CONCURRENTLY i;", "concurrent-in-transaction"},
    {"concurrent_reindex_in_transaction", "REINDEX TABLE CONCURRENTLY t;",
     "concurrent-in-transaction"},
    {"concurrent_in_explicit_transaction", "BEGIN; CREATE INDEX CONCURRENTLY i ON t (a); COMMIT;",
     "concurrent-in-transaction", kNoTransaction},
    {"volatile_default", "ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid();",
     "add-column-volatile-default"},
    {"volatile_default_inside_expression",
     "ALTER TABLE t ADD COLUMN d timestamptz DEFAULT (now() - random() * interval '1 day');",
     "add-column-volatile-default"},
    {"unknown_function_default", "ALTER TABLE t ADD COLUMN c text DEFAULT make_code();",
     "add-column-volatile-default"},
    {"clock_timestamp_default", "ALTER TABLE t ADD c timestamptz DEFAULT clock_timestamp();",
     "add-column-volatile-default"},
    {"not_null_without_default", "ALTER TABLE t ADD COLUMN c integer NOT NULL;",
     "add-column-not-null-without-default"},
    {"not_null_default_null", "ALTER TABLE t ADD COLUMN c integer NOT NULL DEFAULT NULL;",
     "add-column-not-null-without-default"},
    {"set_not_null", "ALTER TABLE t ALTER COLUMN a SET NOT NULL;",
     "set-not-null-without-validated-check"},
    {"set_not_null_with_check_not_validated",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;"
     "ALTER TABLE t ALTER COLUMN a SET NOT NULL;",
     "set-not-null-without-validated-check"},
    {"add_check", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);", "add-check-without-not-valid"},
    {"add_column_with_check", "ALTER TABLE t ADD COLUMN a integer CHECK (a > 0);",
     "add-check-without-not-valid"},
    {"add_foreign_key", "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id);",
     "add-foreign-key-without-not-valid"},
    {"add_column_with_reference", "ALTER TABLE t ADD COLUMN o_id bigint REFERENCES o (id);",
     "add-foreign-key-without-not-valid"},
    {"validate_in_same_transaction",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c;",
     "validate-in-same-transaction"},
    {"validate_in_same_statement",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID, VALIDATE CONSTRAINT c;",
     "validate-in-same-transaction", kNoTransaction},
    {"add_unique", "ALTER TABLE t ADD CONSTRAINT u UNIQUE (a);", "add-unique-constraint"},
    {"add_column_unique", "ALTER TABLE t ADD COLUMN a text UNIQUE;", "add-unique-constraint"},
    {"add_primary_key", "ALTER TABLE t ADD PRIMARY KEY (id);", "add-primary-key"},
    {"add_exclusion", "ALTER TABLE t ADD CONSTRAINT e EXCLUDE USING gist (r WITH &&);",
     "add-exclusion-constraint"},
    {"change_type", "ALTER TABLE t ALTER COLUMN a TYPE bigint;", "change-column-type"},
    {"change_type_using", "ALTER TABLE t ALTER COLUMN a TYPE integer USING a::integer;",
     "change-column-type"},
    {"shorten_varchar",
     "ALTER TABLE t ADD COLUMN v varchar(50); ALTER TABLE t ALTER v TYPE varchar(10);",
     "change-column-type"},
    {"rename_column", "ALTER TABLE t RENAME COLUMN a TO b;", "rename-column"},
    {"rename_table", "ALTER TABLE t RENAME TO u;", "rename-table"},
    {"rename_schema", "ALTER SCHEMA a RENAME TO b;", "rename-schema"},
    {"drop_column", "ALTER TABLE t DROP COLUMN a;", "drop-column"},
    {"drop_table", "DROP TABLE IF EXISTS t;", "drop-table"},
    {"drop_table_cascade", "DROP TABLE t CASCADE;", "drop-cascade"},
    {"drop_schema", "DROP SCHEMA s;", "drop-schema"},
    {"drop_database", "DROP DATABASE shop;", "drop-database", kNoTransaction},
    {"drop_owned", "DROP OWNED BY app;", "drop-owned"},
    {"truncate", "TRUNCATE t;", "truncate"},
    {"truncate_cascade", "TRUNCATE t CASCADE;", "truncate"},
    {"add_serial", "ALTER TABLE t ADD COLUMN n bigserial;", "add-column-serial"},
    {"add_identity", "ALTER TABLE t ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY;",
     "add-column-serial"},
    {"add_generated", "ALTER TABLE t ADD COLUMN g integer GENERATED ALWAYS AS (a + 1) STORED;",
     "add-column-generated-stored"},
    {"lock_table", "LOCK TABLE t;", "lock-table-explicit"},
    {"lock_table_share", "LOCK TABLE t IN SHARE MODE;", "lock-table-explicit"},
    {"update_all", "UPDATE t SET a = 0;", "update-without-where"},
    {"delete_all", "DELETE FROM t;", "delete-without-where"},
    {"backfill_after_ddl",
     "ALTER TABLE t ADD COLUMN a integer; UPDATE t SET a = 1 WHERE a IS NULL;",
     "backfill-with-ddl"},
    {"backfill_before_ddl", "DELETE FROM t WHERE old; ALTER TABLE t ALTER a SET DEFAULT 1;",
     "backfill-with-ddl"},
    {"insert_select_after_ddl",
     "ALTER TABLE t ADD COLUMN a integer; INSERT INTO t SELECT * FROM o;", "backfill-with-ddl"},
    {"cluster", "CLUSTER t USING i;", "cluster"},
    {"vacuum_full", "VACUUM FULL t;", "vacuum-full", kNoTransaction},
    {"vacuum_full_in_parentheses", "VACUUM (ANALYZE, FULL) t;", "vacuum-full", kNoTransaction},
    {"vacuum_in_transaction", "VACUUM t;", "cannot-run-in-transaction"},
    {"alter_system_in_transaction", "ALTER SYSTEM SET work_mem = '8MB';",
     "cannot-run-in-transaction"},
    {"refresh", "REFRESH MATERIALIZED VIEW m;", "refresh-matview-not-concurrent"},
    {"enum_value_used", "ALTER TYPE e ADD VALUE 'x' AFTER 'w'; UPDATE t SET e = 'x' WHERE id = 1;",
     "enum-value-used-in-same-transaction"},
    {"rename_enum_value", "ALTER TYPE e RENAME VALUE 'x' TO 'y';", "rename-enum-value"},
    {"attach_partition", "ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1);",
     "attach-partition-without-check"},
    {"detach_partition", "ALTER TABLE p DETACH PARTITION c;", "detach-not-concurrent"},
    {"begin_and_commit", "BEGIN; SELECT 1; COMMIT;", "transaction-nesting"},
    {"rollback", "ROLLBACK;", "transaction-nesting"},
    {"set_tablespace", "ALTER TABLE t SET TABLESPACE fast;", "set-tablespace"},
    {"set_unlogged", "ALTER TABLE t SET UNLOGGED;", "set-logged"},
    {"set_logged", "ALTER TABLE t SET LOGGED;", "set-logged"},
    {"set_access_method", "ALTER TABLE t SET ACCESS METHOD columnar;", "set-access-method"},
    {"disable_triggers", "ALTER TABLE t DISABLE TRIGGER ALL;", "disable-trigger-all"},
    {"long_name",
     "CREATE TABLE a_name_that_goes_on_and_on_until_nobody_can_remember_how_it_once_began (a int);",
     "identifier-too-long"},
    {"password", "CREATE ROLE app LOGIN PASSWORD 'hunter2';", "password-in-plain-text"},
    {"alter_password", "ALTER ROLE app PASSWORD 'hunter2';", "password-in-plain-text"},
    {"grant_to_public", "GRANT SELECT ON t TO PUBLIC;", "grant-to-public"},
    {"default_grant_to_public", "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;",
     "grant-to-public"},
    {"security_definer",
     "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$;",
     "security-definer-without-search-path"},
    {"lock_timeout_off", "SET LOCAL lock_timeout = 0;", "lock-timeout-off"},
    {"domain_check", "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0);",
     "add-domain-check-without-not-valid"},
    {"psql_set", "\\set x 1\nSELECT 1;", "psql-only"},
    {"psql_include", "SELECT 1;\n\\i other.sql\n", "psql-only"},
    {"inline_copy", "COPY t FROM STDIN;\n1\tit's\n\\.\nSELECT 1;", "psql-only"},
};

class Dangerous : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Lint, Dangerous, testing::ValuesIn(kDangerous), case_name);

TEST_P(Dangerous, IsFlaggedWithAReason) {
  const auto all = findings(GetParam().sql, GetParam().in_transaction);
  ASSERT_THAT(dangers(all), Contains(GetParam().rule)) << GetParam().sql;
  for (const auto& each : all) {
    EXPECT_FALSE(each.why.empty());
    EXPECT_EQ(each.why.find('\n'), std::string::npos);
    EXPECT_THAT(each.statement + each.why + each.rewrite, Not(HasSubstr("hunter2")));
  }
}

const Case kSafe[] = {
    {"create_table", "CREATE TABLE t (id bigint PRIMARY KEY, a text NOT NULL CHECK (a <> ''));"},
    {"create_table_with_reference",
     "CREATE TABLE t (id uuid PRIMARY KEY, o uuid REFERENCES o (id));"},
    {"index_on_new_table", "CREATE TABLE t (a int); CREATE INDEX i ON t (a);"},
    {"index_on_new_table_public", "CREATE TABLE t (a int); CREATE INDEX i ON public.t (a);"},
    {"constraints_on_new_table",
     "CREATE TABLE t (id int, a int); ALTER TABLE t ADD PRIMARY KEY (id);"
     "ALTER TABLE t ADD CONSTRAINT u UNIQUE (a); ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0);"
     "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id);"},
    {"alter_new_table",
     "CREATE TABLE t (a int); ALTER TABLE t ALTER a TYPE text; ALTER TABLE t ALTER a SET NOT "
     "NULL;"},
    {"fill_new_table",
     "CREATE TABLE t (a int); INSERT INTO t SELECT a FROM o; UPDATE t SET a = 1;"},
    {"rename_new_table", "CREATE TABLE t (a int); ALTER TABLE t RENAME TO u; DROP TABLE u;"},
    {"temporary_table", "CREATE TEMP TABLE x AS SELECT 1 AS a; DROP TABLE x;"},
    {"concurrent_index", "CREATE INDEX CONCURRENTLY i ON t (a);", "", kNoTransaction},
    {"concurrent_unique_index", "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);", "", kNoTransaction},
    {"concurrent_drop", "DROP INDEX CONCURRENTLY IF EXISTS i;", "", kNoTransaction},
    {"concurrent_reindex", "REINDEX INDEX CONCURRENTLY i;", "", kNoTransaction},
    {"concurrent_reindex_by_option", "REINDEX (CONCURRENTLY) TABLE t;", "", kNoTransaction},
    {"index_on_only", "CREATE INDEX i ON ONLY t (a);"},
    {"attach_index", "ALTER INDEX i ATTACH PARTITION i1;"},
    {"add_column", "ALTER TABLE t ADD COLUMN a integer;"},
    {"constant_default", "ALTER TABLE t ADD COLUMN a integer NOT NULL DEFAULT 0;"},
    {"now_default", "ALTER TABLE t ADD COLUMN a timestamptz NOT NULL DEFAULT now();"},
    {"current_timestamp_default", "ALTER TABLE t ADD a timestamptz DEFAULT CURRENT_TIMESTAMP;"},
    {"cast_default", "ALTER TABLE t ADD COLUMN a jsonb NOT NULL DEFAULT '{}'::jsonb;"},
    {"volatile_default_for_new_rows",
     "ALTER TABLE t ALTER COLUMN a SET DEFAULT gen_random_uuid();"},
    {"drop_default", "ALTER TABLE t ALTER COLUMN a DROP DEFAULT;"},
    {"drop_not_null", "ALTER TABLE t ALTER COLUMN a DROP NOT NULL;"},
    {"check_not_valid", "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID;"},
    {"foreign_key_not_valid",
     "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id) NOT VALID;"},
    {"validate_alone", "ALTER TABLE t VALIDATE CONSTRAINT c;"},
    {"not_valid_then_validate_apart",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c;",
     "", kNoTransaction},
    {"set_not_null_behind_valid_check",
     "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID;"
     "ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER COLUMN a SET NOT NULL;",
     "", kNoTransaction},
    {"unique_using_index", "ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i;"},
    {"primary_key_using_index", "ALTER TABLE t ADD CONSTRAINT p PRIMARY KEY USING INDEX i;"},
    {"drop_constraint", "ALTER TABLE t DROP CONSTRAINT c;"},
    {"varchar_grows",
     "ALTER TABLE t ADD COLUMN v varchar(50); ALTER TABLE t ALTER v TYPE varchar(100);"},
    {"varchar_becomes_text",
     "ALTER TABLE t ADD COLUMN v varchar(50); ALTER TABLE t ALTER v TYPE text;"},
    {"numeric_grows",
     "ALTER TABLE t ADD COLUMN n numeric(10,2); ALTER TABLE t ALTER n TYPE numeric(14,2);"},
    {"rename_constraint", "ALTER TABLE t RENAME CONSTRAINT a TO b;"},
    {"rename_index", "ALTER INDEX a RENAME TO b;"},
    {"fillfactor", "ALTER TABLE t SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);"},
    {"statistics", "ALTER TABLE t ALTER COLUMN a SET STATISTICS 1000;"},
    {"update_one", "UPDATE t SET a = 1 WHERE id = 5;"},
    {"update_one_beside_ddl",
     "ALTER TABLE t ADD a int; UPDATE t SET a = 1 WHERE id = 5 AND a = 0;"},
    {"update_batch",
     "UPDATE t SET a = 1 WHERE ctid = ANY (ARRAY(SELECT ctid FROM t WHERE a IS NULL LIMIT 1000));"},
    {"delete_some", "DELETE FROM t WHERE created_at < now() - interval '1 year';"},
    {"insert_values", "ALTER TABLE t ADD a int; INSERT INTO t (a) VALUES (1), (2);"},
    {"refresh_concurrently", "REFRESH MATERIALIZED VIEW CONCURRENTLY m;"},
    {"vacuum", "VACUUM (ANALYZE) t;", "", kNoTransaction},
    {"analyze_in_transaction", "ANALYZE t;"},
    {"create_view", "CREATE OR REPLACE VIEW v AS SELECT a FROM t;"},
    {"create_enum_and_use", "CREATE TYPE e AS ENUM ('a'); CREATE TABLE t (e e DEFAULT 'a');"},
    {"add_enum_value", "ALTER TYPE e ADD VALUE IF NOT EXISTS 'x' BEFORE 'y';"},
    {"attach_checked_partition",
     "ALTER TABLE c ADD CONSTRAINT b CHECK (a = 1) NOT VALID; ALTER TABLE c VALIDATE CONSTRAINT b;"
     "ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1);",
     "", kNoTransaction},
    {"attach_new_partition",
     "CREATE TABLE c (a int); ALTER TABLE p ATTACH PARTITION c FOR VALUES IN (1);"},
    {"detach_concurrently", "ALTER TABLE p DETACH PARTITION c CONCURRENTLY;", "", kNoTransaction},
    {"create_role", "CREATE ROLE app NOLOGIN;"},
    {"hashed_password", "ALTER ROLE app PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5';"},
    {"grant_to_role", "GRANT SELECT ON t TO app;"},
    {"revoke_from_public", "REVOKE ALL ON SCHEMA public FROM PUBLIC;"},
    {"security_definer_with_path",
     "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog"
     " AS $$ SELECT 1 $$;"},
    {"dangerous_words_in_dollar_quotes",
     "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $b$ BEGIN DROP TABLE t; END; $b$;"},
    {"dangerous_words_in_atomic_body",
     "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; END;"
     "SELECT 1;"},
    {"dangerous_words_in_comments", "-- DROP TABLE t;\n/* TRUNCATE t; /* \\i x */ */ SELECT 1;"},
    {"dangerous_words_in_strings", "SELECT 'DROP TABLE t; \\i x', E'\\'; TRUNCATE t;';"},
    {"lock_table_weakly", "LOCK TABLE t IN ROW EXCLUSIVE MODE;"},
    {"comment_on", "COMMENT ON TABLE t IS 'a; b';"},
    {"set_local", "SET LOCAL lock_timeout = '2s';"},
    {"savepoint", "SAVEPOINT a; RELEASE SAVEPOINT a;"},
    {"extension", "CREATE EXTENSION IF NOT EXISTS pg_trgm;"},
    {"statistics_object", "CREATE STATISTICS s ON a, b FROM t;"},
    {"nothing", "-- nothing at all\n;;\n"},
};

class Safe : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Lint, Safe, testing::ValuesIn(kSafe), case_name);

TEST_P(Safe, IsNoDanger) {
  const auto all = findings(GetParam().sql, GetParam().in_transaction);
  EXPECT_THAT(dangers(all), IsEmpty()) << GetParam().sql;
  EXPECT_THAT(rules(all), Not(Contains("not-parsed")));
}

TEST(LintCorpus, HoldsWhatWasPromised) {
  EXPECT_GE(std::size(kDangerous), 45U);
  EXPECT_GE(std::size(kSafe), 45U);
}

TEST(LintCorpus, ShowsEveryDangerAtLeastOnce) {
  std::set<std::string> shown;
  for (const auto& each : kDangerous) shown.insert(each.rule);
  for (const auto& rule : lint_rules()) {
    if (rule.severity != Severity::danger) continue;
    EXPECT_THAT(shown, Contains(rule.name));
  }
}

TEST(LintRules, AreSortedByNameAndOnThePage) {
  const auto page = read_file(std::string(places::source_dir) + "/docs/migrations.md");
  std::string last;
  for (const auto& rule : lint_rules()) {
    EXPECT_LT(last, rule.name);
    last = rule.name;
    EXPECT_THAT(page, HasSubstr(fmt::format("| `{}` |", rule.name)));
  }
}

TEST(LintShipped, MigrationsHoldNoDanger) {
  Linter linter;
  ASSERT_FALSE(embedded::migrations().empty());
  for (const auto& file : embedded::migrations()) {
    const auto read = read_lint_file(std::string(file.name), file.content);
    const auto all = linter.lint({.sql = read.sql,
                                  .in_transaction = read.in_transaction,
                                  .sizes = {},
                                  .allows = read.allows});
    EXPECT_THAT(dangers(all), IsEmpty()) << file.name;
    EXPECT_THAT(rules(all), Not(Contains("not-parsed"))) << file.name;
  }
}

std::string rewrite_of(std::string_view sql, std::string_view rule, int target_major = 14) {
  for (const auto& each :
       lint({.sql = sql, .target_major = target_major, .sizes = {}, .allows = {}})) {
    if (each.rule == rule) return each.rewrite;
  }
  return "(no such finding)";
}

TEST(LintRewrite, NamesTheTablesAndColumnsOfTheStatement) {
  EXPECT_EQ(rewrite_of("CREATE INDEX i ON s.\"Order\" (a);", "add-index-not-concurrent"),
            "-- in a file of its own with the header line \"-- migrate:no-transaction\":\n"
            "CREATE INDEX CONCURRENTLY i ON s.\"Order\" (a);");
  EXPECT_EQ(rewrite_of("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0 AND b IN (1, 2)), ADD d int;",
                       "add-check-without-not-valid"),
            "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0 AND b IN (1, 2)) NOT VALID;\n"
            "-- in a later file:\nALTER TABLE t VALIDATE CONSTRAINT c;");
  EXPECT_EQ(rewrite_of("ALTER TABLE t ADD UNIQUE (a, b);", "add-unique-constraint"),
            "-- in a file of its own with the header line \"-- migrate:no-transaction\":\n"
            "CREATE UNIQUE INDEX CONCURRENTLY t_a_b_key ON t (a, b);\n-- in a later file:\n"
            "ALTER TABLE t ADD CONSTRAINT t_a_b_key UNIQUE USING INDEX t_a_b_key;");
  EXPECT_THAT(rewrite_of("ALTER TABLE t ADD COLUMN u uuid NOT NULL DEFAULT gen_random_uuid();",
                         "add-column-volatile-default"),
              HasSubstr("ALTER TABLE t ADD COLUMN u uuid;\n"
                        "ALTER TABLE t ALTER COLUMN u SET DEFAULT gen_random_uuid();\n"));
  EXPECT_THAT(rewrite_of("ALTER TABLE t ADD o bigint REFERENCES o (id);",
                         "add-foreign-key-without-not-valid"),
              HasSubstr("ADD CONSTRAINT t_o_fkey FOREIGN KEY (o) REFERENCES o (id) NOT VALID;"));
}

TEST(LintRewrite, FollowsTheTargetVersion) {
  const auto* sql = "ALTER TABLE t ALTER COLUMN a SET NOT NULL;";
  EXPECT_THAT(rewrite_of(sql, "set-not-null-without-validated-check", 14),
              HasSubstr("CHECK (a IS NOT NULL) NOT VALID"));
  EXPECT_THAT(rewrite_of(sql, "set-not-null-without-validated-check", 18),
              HasSubstr("NOT NULL a NOT VALID"));
}

TEST(LintRewrite, IsItselfParsedByPostgres) {
  for (const auto* sql :
       {"CREATE INDEX i ON t (a);", "DROP INDEX a, s.b;", "ALTER TABLE t ADD CHECK (a > 0);",
        "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o ON DELETE CASCADE;",
        "ALTER TABLE t ADD PRIMARY KEY (id);", "ALTER TABLE t ALTER a SET NOT NULL;",
        "ALTER TABLE p DETACH PARTITION c;", "REINDEX TABLE t;", "REFRESH MATERIALIZED VIEW m;",
        "ALTER TABLE t ADD u uuid DEFAULT gen_random_uuid();",
        "ALTER TABLE \"T\" ADD n bigserial;"}) {
    for (const auto& each : findings(sql)) {
      if (each.severity != Severity::danger) continue;
      EXPECT_THAT(rules(findings(each.rewrite, kNoTransaction)), Not(Contains("not-parsed")))
          << each.rewrite;
    }
  }
}

TEST(LintPosition, CountsCharactersBehindCommentsAndQuotes) {
  const auto all = findings(
      "/* Käse; /* brötchen */ */ SELECT 'ä;ö', $q$ ; $q$; DROP\nTABLE t;\n"
      "-- ünter\n  TRUNCATE t;\n");
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].rule, "drop-table");
  EXPECT_EQ(std::pair(all[0].line, all[0].column), std::pair(1, 53));
  EXPECT_EQ(all[1].rule, "truncate");
  EXPECT_EQ(std::pair(all[1].line, all[1].column), std::pair(4, 3));
}

TEST(LintPosition, PointsAtTheClauseOfALongStatement) {
  const auto all =
      findings("ALTER TABLE t\n  ADD COLUMN a integer,\n  ADD CONSTRAINT c CHECK (a > 0);\n");
  ASSERT_EQ(dangers(all).size(), 1U);
  EXPECT_EQ(std::pair(all[0].line, all[0].column), std::pair(3, 7));
}

TEST(LintPosition, IsRightBehindAnAtomicBody) {
  const auto all = findings(
      "CREATE FUNCTION f() RETURNS int\nBEGIN ATOMIC\n  SELECT 1;\n  SELECT 2;\nEND;\n"
      "DROP TABLE t;");
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].line, 6);
}

TEST(LintPosition, IsTheFilesBecauseLinesStayInPlace) {
  const auto file = read_lint_file(
      "7_x.sql",
      "\xEF\xBB\xBF-- why\r\n-- migrate:up\r\nDROP TABLE t;\r\n-- migrate:down\r\nDROP TABLE u;");
  const auto all = findings(file.sql);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(std::pair(all[0].line, all[0].column), std::pair(3, 1));
}

TEST(LintUnparsable, IsAdviceAndTheRestIsStillRead) {
  const auto all = findings(
      "DROP TABLE a;\nCREATE FUTURE THING t;\n"
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;\nDROP TABLE b;\n");
  EXPECT_EQ(rules(all), (std::vector<std::string>{"drop-table", "not-parsed", "drop-table"}));
  EXPECT_EQ(all[1].severity, Severity::advice);
  EXPECT_EQ(all[1].line, 2);
  EXPECT_EQ(all[2].line, 4);
}

TEST(LintUnparsable, NeverRepeatsAPassword) {
  for (const auto& each :
       findings("CREATE USER app GROUP 'hunter2' PASSWORD 'hunter2' 'hunter3';")) {
    EXPECT_THAT(each.statement + each.why, Not(HasSubstr("PASSWORD 'hunter2'")));
    EXPECT_THAT(each.why, Not(HasSubstr("hunter")));
  }
}

TEST(LintUnparsable, BrokenTextsAreNoCrash) {
  const std::string deep(20'000, '(');
  const std::string zero("DROP\0TABLE t;", 13);
  for (const auto& sql : std::vector<std::string>{
           "", ";", "'", "\"", "$a$", "/*", "E'\\", "\\", "COPY t FROM STDIN;\n\\.", "CREATE INDEX",
           "\xFF\xFE DROP", zero, "SELECT " + deep, "BEGIN ATOMIC END; END; END", ")))) ;"}) {
    EXPECT_NO_FATAL_FAILURE((void)findings(sql));
  }
}

// libpg_query writes its tree recursively; 100,000 terms once ended the process.
TEST(LintUnparsable, AStatementNestedTooDeeplyIsAdvice) {
  std::string sum = "SELECT 1";
  std::string unions = "SELECT 1, 2";
  for (int i = 0; i < 100'000; ++i) {
    sum += "+1";
    unions += " UNION SELECT 1, 2";
  }
  for (const auto& sql : {sum, unions}) {
    EXPECT_EQ(rules(findings(sql + "; DROP TABLE t;")),
              (std::vector<std::string>{"not-parsed", "drop-table"}));
  }
}

TEST(LintUnparsable, ALongListIsNotDeep) {
  std::string sql = "INSERT INTO t VALUES (1, now(), -1)";
  for (int i = 0; i < 20'000; ++i) sql += ", (1, now(), -1)";
  EXPECT_THAT(findings(sql + ";"), IsEmpty());
}

TEST(LintPsql, DataOfCopyIsNotReadAsSql) {
  const auto all = findings("COPY t (a) FROM STDIN;\nDROP TABLE x;\nit's\n\\.\nDROP TABLE t;\n");
  EXPECT_EQ(rules(all), (std::vector<std::string>{"psql-only", "drop-table"}));
  EXPECT_EQ(all[0].line, 1);
  EXPECT_EQ(all[1].line, 5);
}

TEST(LintSizes, ASmallTableTurnsDangerIntoAdvice) {
  const auto all = lint({.sql = "CREATE INDEX i ON t (a);",
                         .sizes = {{"t", {.rows = 12, .bytes = 8192, .writes = 3}}},
                         .allows = {}});
  ASSERT_EQ(rules(all), std::vector<std::string>{"add-index-not-concurrent"});
  EXPECT_EQ(all[0].severity, Severity::advice);
  EXPECT_THAT(all[0].why, HasSubstr("t is small, 12 rows"));
}

TEST(LintSizes, ABigTableIsNamedWithItsSize) {
  const auto all = lint({.sql = "CREATE INDEX i ON s.t (a);",
                         .sizes = {{"s.t", {.rows = 50'000'000, .bytes = 6LL << 30, .writes = 7}}},
                         .allows = {}});
  ASSERT_EQ(dangers(all).size(), 1U);
  EXPECT_THAT(all[0].why, HasSubstr("50,000,000 rows, 6.0 GB"));
}

TEST(LintSizes, FewRowsThatAreLargeAreNotSmall) {
  const auto all = lint({.sql = "CREATE INDEX i ON t (a);",
                         .sizes = {{"t", {.rows = 12, .bytes = 2 << 20, .writes = 3}}},
                         .allows = {}});
  EXPECT_EQ(dangers(all).size(), 1U);
}

TEST(LintSizes, LossOfDataStaysDangerousOnASmallTable) {
  const auto all = lint({.sql = "DROP TABLE t;", .sizes = {{"t", {}}}, .allows = {}});
  EXPECT_EQ(dangers(all).size(), 1U);
}

TEST(LintSizes, IfNotExistsOverALiveTableMakesNothingNew) {
  const auto* sql = "CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX i ON t (a);";
  EXPECT_THAT(dangers(findings(sql)), IsEmpty());
  const auto all = lint({.sql = sql, .sizes = {{"t", {.rows = 5000}}}, .allows = {}});
  EXPECT_THAT(dangers(all), Contains("add-index-not-concurrent"));
}

TEST(LintKnowledge, CarriesTypesAndChecksFromFileToFile) {
  Linter linter;
  const auto dangers_of = [&](std::string_view sql) {
    return dangers(linter.lint({.sql = sql, .sizes = {}, .allows = {}}));
  };
  EXPECT_THAT(dangers_of("CREATE TABLE t (a varchar(10), b int);"), IsEmpty());
  EXPECT_THAT(dangers_of("ALTER TABLE t ALTER a TYPE varchar(20);"), IsEmpty());
  EXPECT_THAT(dangers_of("ALTER TABLE t ADD CONSTRAINT n CHECK (b IS NOT NULL) NOT VALID;"),
              IsEmpty());
  EXPECT_THAT(dangers_of("ALTER TABLE t VALIDATE CONSTRAINT n;"), IsEmpty());
  EXPECT_THAT(dangers_of("ALTER TABLE t ALTER b SET NOT NULL; ALTER TABLE t DROP CONSTRAINT n;"),
              IsEmpty());
  EXPECT_THAT(dangers_of("ALTER TABLE t ALTER b SET NOT NULL;"), Not(IsEmpty()));
  // A table of an earlier file is in use by now.
  EXPECT_THAT(dangers_of("CREATE INDEX i ON t (a);"), Not(IsEmpty()));
}

TEST(LintAllow, SilencesItsRuleAndNoOther) {
  const auto file = read_lint_file("7_x.sql",
                                   "-- migrate:allow drop-table because it was never used\n"
                                   "-- migrate:up\nDROP TABLE t; TRUNCATE u; DROP TABLE v;\n");
  ASSERT_EQ(file.allows.size(), 1U);
  EXPECT_EQ(file.allows[0].reason, "it was never used");
  const auto all = lint({.sql = file.sql, .sizes = {}, .allows = file.allows});
  EXPECT_EQ(rules(all), std::vector<std::string>{"truncate"});
}

TEST(LintAllow, ThatSilencesNothingIsAdvice) {
  const auto all = lint({.sql = "\n\nSELECT 1;",
                         .sizes = {},
                         .allows = {{.rule = "drop-table", .reason = "why not", .line = 2}}});
  ASSERT_EQ(rules(all), std::vector<std::string>{"unused-allow"});
  EXPECT_EQ(all[0].severity, Severity::advice);
  EXPECT_EQ(all[0].line, 2);
}

TEST(LintAllow, NeedsARuleThatExistsAReasonAndTheHead) {
  const auto read = [](const std::string& text) { return read_lint_file("7_x.sql", text); };
  for (const auto* head :
       {"-- migrate:allow drop-table", "-- migrate:allow drop-table because",
        "-- migrate:allow drop-table because  ", "-- migrate:allow drop-table it is fine",
        "-- migrate:allow no-such-rule because I say so", "-- migrate:allow"}) {
    try {
      (void)read(std::string("-- a\n") + head + "\n-- migrate:up\nDROP TABLE t;\n");
      FAIL() << head;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      EXPECT_THAT(error.what(), HasSubstr("7_x.sql:2"));
    }
  }
  EXPECT_THROW(
      (void)read("-- migrate:up\nDROP TABLE t;\n-- migrate:allow drop-table because late\n"),
      Error);
}

TEST(LintFile, ReadsTheUpSectionAndItsOptions) {
  const auto file = read_lint_file(
      "7_x.sql", "-- migrate:no-transaction\n-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;");
  EXPECT_FALSE(file.in_transaction);
  EXPECT_THAT(file.sql, HasSubstr("\n\n"));
  EXPECT_THAT(file.sql, HasSubstr("SELECT 1;"));
  EXPECT_THAT(file.sql, Not(HasSubstr("SELECT 2;")));
  EXPECT_EQ(read_lint_file("x.sql", "DROP TABLE t;").sql, "DROP TABLE t;\n");
}

TEST(LintExcerpt, IsOneLineOfAtMost120CharactersAndMasksPasswords) {
  std::string columns;
  for (int i = 0; i < 60; ++i) columns += ",\n ä" + std::to_string(i) + " int";
  const auto all = findings("DROP TABLE t" + columns.substr(0, 0) + ";\nTRUNCATE\n\n t;");
  EXPECT_EQ(all[1].statement, "TRUNCATE t");
  const auto wide = findings("ALTER TABLE t ADD b int NOT NULL" + [] {
    std::string out;
    for (int i = 0; i < 60; ++i) out += ",\n ADD ä" + std::to_string(i) + " int";
    return out;
  }() + ";");
  ASSERT_FALSE(wide.empty());
  const auto& text = wide[0].statement;
  EXPECT_EQ(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }),
            120);
  EXPECT_THAT(findings("CREATE ROLE a PASSWORD E'hunter\\'2';")[0].statement,
              testing::StrEq("CREATE ROLE a PASSWORD '***'"));
}

}  // namespace
}  // namespace pantryd::migrate
