// What `pantryd validate` says about the server's promises, its rows and its schema, as a program
// against a real server.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "pg/connection.h"
#include "tests/support/places.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
using testing_support::dsn_of;
using testing_support::one;
using testing_support::run_binary;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;
using testing_support::soon;

std::string file_with(const std::string& name, const std::string& content) {
  const auto path = scratch_dir() / name;
  write_file_atomically(path, content);
  return path.string();
}

pg::Conninfo database(const std::string& name) {
  return name.empty() ? shared_sandbox().primary()
                      : shared_sandbox().primary().with("dbname", name);
}

ChildResult validate(const std::string& claims, const std::vector<std::string>& more = {},
                     const std::string& dbname = {}) {
  std::vector<std::string> arguments{"--dsn", dsn_of(database(dbname)), "validate", "--claims",
                                     file_with("claims.yaml", "version: 1\nclaims:\n" + claims)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_binary(places::binary, arguments, 90s);
}

constexpr const char* kDurability = "  - {id: kept, text: sales are kept, check: durability}\n";

/// Sets and resets what a session and the server promise; the database is that of the tests.
class Promise {
 public:
  Promise(const std::string& commit, const std::string& names)
      : owner_(testing_support::connect()) {
    name_ = one(owner_, "SELECT current_database()");
    // First: a commit must not wait for a standby that is not there.
    owner_.exec("ALTER DATABASE " + name_ + " SET synchronous_commit = " + commit, soon());
    owner_.exec("SET synchronous_commit = local", soon());
    set_names(names);
  }
  ~Promise() {
    try {
      set_names("");
      owner_.exec("ALTER DATABASE " + name_ + " RESET synchronous_commit", soon());
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

 private:
  void set_names(const std::string& names) {
    owner_.exec("ALTER SYSTEM SET synchronous_standby_names = '" + names + "'", soon());
    owner_.exec("SELECT pg_reload_conf()", soon());
    ASSERT_TRUE(testing_support::within(
        30s, [&] { return one(owner_, "SHOW synchronous_standby_names") == names; }));
  }
  pg::Connection owner_;
  std::string name_;
};

TEST(ValidatePromisesTest, LocalCommitsFailWhereAStandbyIsPromisedAndNotWhereNoneIs) {
  {
    const Promise alone("local", "");
    const auto result = validate(kDurability);
    EXPECT_EQ(result.exit_code, 7) << result.output;
    EXPECT_THAT(result.output, HasSubstr("has synchronous_commit local"));
    EXPECT_THAT(result.output, HasSubstr("synchronous_standby_names is empty"));
  }
  const Promise promised("local", "nobody");
  const auto result = validate(kDurability);
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_THAT(result.output, HasSubstr("its commits do not wait for a standby"));
  EXPECT_THAT(result.output, HasSubstr("1 standby is wanted, 0 synchronous"));
}

// A workload that gave up its own durability passed, and durability passed beside it.
TEST(ValidatePromisesTest, AWorkloadThatSetsSynchronousCommitFailsDurabilityAndIsNoEvidence) {
  testing_support::connect().exec_script("DROP TABLE IF EXISTS marks; CREATE TABLE marks (n int)",
                                         soon());
  const auto judged = [](const std::string& value) {
    const auto workload = file_with("workload.yaml",
                                    "version: 1\nname: quick\noperations:\n  - name: write\n    "
                                    "weight: 1\n    transaction: true\n"
                                    "    steps: [{sql: 'SET LOCAL synchronous_commit TO " +
                                        value + "'}, {sql: 'INSERT INTO marks VALUES (1)'}]\n");
    const auto out = scratch_dir() / ("promise-" + value);
    const auto result = validate(std::string(kDurability) +
                                     "  - {id: rate, text: t, check: throughput, at_least: 40, "
                                     "offered: 60, users: 10, duration: 2s, warmup: 1s}\n",
                                 {"--workload", workload, "--out", out.string()});
    EXPECT_THAT(result.output, HasSubstr("Who else was there"));
    return nlohmann::json::parse(read_file(out / "claims.json"));
  };
  const auto off = judged("off");
  EXPECT_EQ(off["claims"][0]["verdict"], "FAIL") << off.dump(2);
  EXPECT_EQ(off["claims"][1]["verdict"], "INVALID") << off.dump(2);
  EXPECT_EQ(off["surroundings"][0]["load"], "load-peak.json");
  EXPECT_THAT(off["surroundings"][0]["lines"].dump(), HasSubstr("other sessions in the database"));
  const auto on = judged("on");
  EXPECT_EQ(on["claims"][0]["verdict"], "INCONCLUSIVE") << on.dump(2);
  EXPECT_THAT(on.dump(), Not(HasSubstr("sets synchronous_commit")));
}

TEST(ValidatePromisesTest, ADroppedIndexIsNoCurrentSchemaAndIsNamed) {
  testing_support::connect().exec("CREATE DATABASE drifted", soon());
  const auto where = database("drifted");
  const auto up = run_binary(places::binary, {"--dsn", dsn_of(where), "migrate", "up"}, 90s);
  ASSERT_EQ(up.exit_code, 0) << up.output;
  const std::string claims = "  - {id: rows, text: t, check: scale, products: 1}\n";
  const auto whole = validate(claims, {"--schema", "current"}, "drifted");
  EXPECT_EQ(whole.exit_code, 1) << whole.output;  // there are no products
  EXPECT_THAT(whole.output, HasSubstr("0 products, claimed are 1"));
  auto owner = pg::Connection::connect(where, soon());
  const auto index =
      one(owner,
          "SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON "
          "c.oid = i.indrelid LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid "
          "WHERE c.relname = 'sales' AND k.oid IS NULL ORDER BY 1 LIMIT 1");
  owner.exec("DROP INDEX " + index, soon());
  const auto dropped = validate(claims, {"--schema", "current"}, "drifted");
  EXPECT_EQ(dropped.exit_code, 4) << dropped.output;
  EXPECT_THAT(dropped.output, HasSubstr("the schema is not current: missing or changed: index "
                                        "CREATE INDEX " +
                                        index));
  EXPECT_THAT(dropped.output, HasSubstr("HINT: "));
}

TEST(ValidatePromisesTest, RowsThatCannotBeCountedInTimeAreEstimatedAndMarked) {
  testing_support::connect().exec("CREATE DATABASE held", soon());
  auto holder = pg::Connection::connect(database("held"), soon());
  holder.exec_script(
      "CREATE TABLE public.sales AS SELECT generate_series(1, 5000) AS id; ANALYZE public.sales",
      soon());
  const std::string claims = "  - {id: rows, text: t, check: scale, sales: 5000}\n";
  const auto counted = validate(claims, {}, "held");
  EXPECT_EQ(counted.exit_code, 0) << counted.output;
  EXPECT_THAT(counted.output, HasSubstr("5,000 sales, claimed are 5,000"));
  holder.exec("BEGIN", soon());
  holder.exec("LOCK TABLE public.sales IN ACCESS EXCLUSIVE MODE", soon());
  const auto estimated = validate(claims, {}, "held");
  holder.exec("ROLLBACK", soon());
  EXPECT_EQ(estimated.exit_code, 0) << estimated.output;
  EXPECT_THAT(estimated.output, HasSubstr("5,000 (estimated) sales, claimed are 5,000"));
  EXPECT_THAT(estimated.output, HasSubstr("counting them failed: "));
}

}  // namespace
}  // namespace pantryd
