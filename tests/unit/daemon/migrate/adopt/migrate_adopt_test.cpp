// How the rows of Knex's history are matched to migration files.
#include <gmock/gmock.h>

#include "migrate/adopt/adopt.h"
#include "migrate/adopt/build.h"

namespace pantryd::migrate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Migration file(const std::string& name, const std::string& sql = "SELECT 1;") {
  return parse_file(name + ".sql", "-- migrate:up\n" + sql + "\n");
}

const std::vector<Migration>& three() {
  static const std::vector<Migration> files{file("001_users"), file("002_products"),
                                            file("003_sales")};
  return files;
}

KnexRow row(std::int64_t id, const std::string& name) {
  return {id, name, 1, "2026-01-01 00:00:00+00"};
}

std::vector<std::string> names(const KnexMatch& found) {
  std::vector<std::string> out;
  for (const auto& each : found.adopted) out.push_back(each.file.name + "<" + each.knex.name);
  return out;
}

TEST(MigrateAdoptMatchTest, NumberAndNameMatchWhateverTheExtensionAndTheZeros) {
  const auto found =
      match({row(1, "001_users.ts"), row(2, "2_products.mjs"), row(3, "0003_sales.cjs")}, three());
  EXPECT_THAT(names(found), ElementsAre("001_users<001_users.ts", "002_products<2_products.mjs",
                                        "003_sales<0003_sales.cjs"));
  EXPECT_THAT(found.unmatched, IsEmpty());
  EXPECT_THAT(found.pending, IsEmpty());
  EXPECT_THAT(found.warnings, IsEmpty());
}

TEST(MigrateAdoptMatchTest, OneOfAnotherNameIsUnmatchedOnBothSides) {
  const auto found = match({row(1, "001_users_table.js"), row(2, "002_products.js")}, three());
  EXPECT_THAT(names(found), ElementsAre("002_products<002_products.js"));
  EXPECT_THAT(found.unmatched, ElementsAre("001_users_table.js"));
  EXPECT_THAT(found.pending, ElementsAre("001_users", "003_sales"));
  EXPECT_THAT(found.warnings, ElementsAre(HasSubstr("has the number of 001_users.sql"),
                                          HasSubstr("a gap: Knex ran later ones than 001_users")));
}

TEST(MigrateAdoptMatchTest, NamesThatAreNoMigrationsAreUnmatched) {
  const auto found = match({row(1, "users.js"), row(2, ""), row(3, "99999999999999999999_x.js"),
                            row(4, "-1_x.js"), row(5, "001_users.coffee"), row(6, ".js")},
                           three());
  EXPECT_THAT(names(found), IsEmpty());
  EXPECT_THAT(found.unmatched,
              ElementsAre("users.js", "row 2 without a name", "99999999999999999999_x.js",
                          "-1_x.js", "001_users.coffee", ".js"));
}

TEST(MigrateAdoptMatchTest, DoublesMissingTimesGapsAndAnotherOrderAreWarnedOf) {
  auto untimed = row(3, "003_sales.js");
  untimed.time.reset();
  const auto found = match({row(1, "003_sales.js"), row(2, "001_users.js"), untimed}, three());
  EXPECT_THAT(names(found), ElementsAre("001_users<001_users.js", "003_sales<003_sales.js"));
  EXPECT_THAT(found.warnings,
              ElementsAre(HasSubstr("003_sales.js a second time (id 3)"),
                          HasSubstr("001_users.js after a higher number"),
                          HasSubstr("a gap: Knex ran later ones than 002_products")));
  EXPECT_THAT(match({untimed}, three()).warnings,
              testing::Contains(HasSubstr("did not record when it ran 003_sales.js")));
}

TEST(MigrateAdoptBuildTest, OnlyFilesThatStayInTheirSchemaAreBuiltInOne) {
  for (const auto& each : embedded_migrations()) {
    if (each.version >= 1 && each.version <= 6) {
      EXPECT_EQ(reason_against_schema(each), "") << each.name;
    }
  }
  const std::vector<std::pair<const char*, const char*>> cases{
      {"CREATE TABLE public.a (x int);", "it names a schema"},
      {"CREATE TABLE a (x int REFERENCES public.b (x));", "it names a schema"},
      {"ALTER TABLE ONLY public.a ADD y int;", "it names a schema"},
      {"INSERT INTO a SELECT * FROM other.b;", "it names a schema"},
      {"CREATE TYPE public.mood AS ENUM ('sad');", "it names a schema"},
      {"DO 'BEGIN END';", "it has a DoStmt"},
      {"DROP TABLE a;", "it has a DropStmt"},
      {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
       "it has a CreateFunctionStmt"},
      {"SELECT 1;", "it has a SelectStmt"},
      {"SET search_path = public;", "it has a VariableSetStmt"},
  };
  for (const auto& [sql, reason] : cases) {
    EXPECT_EQ(reason_against_schema(file("001_a", sql)), reason) << sql;
  }
  EXPECT_EQ(
      reason_against_schema(parse_file(
          "001_a.sql", "-- migrate:no-transaction\n-- migrate:up\nCREATE TABLE a (x int);\n")),
      "it runs without a transaction");
}

}  // namespace
}  // namespace pantryd::migrate
