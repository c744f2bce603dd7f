// `pantryd validate` as a program, against a real server.
#include <gmock/gmock.h>

#include "base/file.h"
#include "pg/connection.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd {
namespace {

using namespace std::chrono_literals;
using testing_support::dsn_of;
using testing_support::run_binary;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;

/// PASS, or INVALID where other work made the load generator late: the loads ran either way.
const auto kLoadsRan = testing::AnyOf(0, 7);

constexpr auto kLimit = std::chrono::seconds(90);

pg::Connection connect() {
  return pg::Connection::connect(shared_sandbox().primary(), Deadline::in(30s));
}

void run_sql(const std::string& sql) {
  auto connection = connect();
  (void)connection.exec_script(sql, Deadline::in(30s));
}

std::int64_t number(const std::string& sql) {
  auto connection = connect();
  return connection.exec(sql, Deadline::in(30s)).i64(0, 0);
}

/// A file in the scratch folder, with this content.
std::string file_with(const std::string& name, const std::string& content) {
  const auto path = scratch_dir() / name;
  write_file_atomically(path, content);
  return path.string();
}

/// Runs the paced load, and at a small rate the peak load, of this workload.
ChildResult validate(const std::string& workload) {
  const auto claims = file_with("claims.yaml",
                                "version: 1\n"
                                "claims:\n"
                                "  - {id: quick, text: quick answers, check: latency, limit: 1s, "
                                "warmup: 1s}\n"
                                "  - {id: rate, text: 50 a second, check: throughput, at_least: 40,"
                                " offered: 60, warmup: 1s}\n");
  return run_binary(places::binary,
                    {"validate", "--dsn", dsn_of(shared_sandbox().primary()), "--claims", claims,
                     "--workload", file_with("workload.yaml", workload), "--budget", "6s"},
                    kLimit);
}

std::string workload_with(const std::string& weight) {
  return "version: 1\n"
         "name: two\n"
         "operations:\n"
         "  - name: read\n"
         "    weight: 10\n"
         "    steps: [{sql: \"SELECT 1\"}]\n"
         "  - name: write\n"
         "    weight: " +
         weight +
         "\n"
         "    steps: [{sql: \"INSERT INTO marks VALUES (1)\"}]\n";
}

// The paced load raised every weight to a share at which the operation was seen. So an operation
// that somebody had switched off ran 550 times; it might have been a DELETE.
TEST(ValidateTest, AnOperationOfWeightZeroIsNeverExecuted) {
  run_sql("DROP TABLE IF EXISTS marks; CREATE TABLE marks (n int)");
  const auto result = validate(workload_with("0"));
  EXPECT_THAT(result.exit_code, kLoadsRan) << result.output;
  EXPECT_EQ(number("SELECT count(*) FROM marks"), 0);
}

TEST(ValidateTest, AnOperationOfWeightOneIsExecuted) {
  run_sql("DROP TABLE IF EXISTS marks; CREATE TABLE marks (n int)");
  const auto result = validate(workload_with("1"));
  EXPECT_THAT(result.exit_code, kLoadsRan) << result.output;
  EXPECT_GT(number("SELECT count(*) FROM marks"), 0);
}

}  // namespace
}  // namespace pantryd
