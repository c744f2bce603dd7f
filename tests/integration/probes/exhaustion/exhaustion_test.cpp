// Time to exhaustion on a real server that is used up before our eyes.
#include <gmock/gmock.h>

#include <map>
#include <thread>

#include "probes/exhaustion/exhaustion_probe.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd::probes {
namespace {

using namespace testing_support;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Exhaustion : public testing::Test {
 protected:
  ExhaustionOptions quick() {
    ExhaustionOptions out;
    out.span = seconds(600);
    out.least = milliseconds(200);
    return out;
  }
  std::map<std::string, double> look() {
    const auto run = probe_.run(own_, read_facts(own_, soon()), soon());
    EXPECT_EQ(run.outcome, Outcome::ok) << run.error;
    error_ = run.error;
    std::map<std::string, double> out;
    for (const auto& sample : run.samples) {
      std::string key;
      for (const auto& [name, value] : sample.labels) key += (key.empty() ? "" : "|") + value;
      out[key] = sample.value;
    }
    return out;
  }
  /// Looks until `key` is told, doing `work` before each.
  template <typename Work>
  double told(const std::string& key, Work work) {
    double value = -1;
    EXPECT_TRUE(within(seconds(30),
                       [&] {
                         work();
                         const auto all = look();
                         const auto found = all.find(key);
                         if (found != all.end()) value = found->second;
                         return found != all.end();
                       }))
        << key << " is not told";
    return value;
  }
  pg::Connection own_ = connect();
  pg::Connection admin_ = connect();
  ServerProbe probe_ = exhaustion_probe(quick());
  std::string error_;
};

TEST_F(Exhaustion, ASequenceEndsWhereTheTypeOfItsColumnEnds) {
  admin_.exec_script(
      "DROP TABLE IF EXISTS filling; CREATE TABLE filling (id smallint); "
      "CREATE SEQUENCE filling_id AS bigint OWNED BY filling.id",
      soon());
  const auto left = told("sequence|zion_grocery_db.public.filling_id", [&] {
    admin_.exec("SELECT nextval('filling_id') FROM generate_series(1, 300)", soon());
  });
  // As a bigint it would last for ever, and nothing would be told.
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 3600);
  admin_.exec("SELECT setval('filling_id', 5)", soon());
  EXPECT_EQ(look().count("sequence|zion_grocery_db.public.filling_id"), 0U);
  admin_.exec("DROP TABLE filling", soon());
  EXPECT_EQ(look().count("sequence|zion_grocery_db.public.filling_id"), 0U);
}

TEST_F(Exhaustion, ASequenceThatSomebodyAltersDoesNotHoldUpTheRest) {
  admin_.exec_script(
      "DROP SEQUENCE IF EXISTS held; CREATE SEQUENCE held MAXVALUE 100000; "
      "SELECT nextval('held')",
      soon());
  admin_.exec_script("BEGIN; ALTER SEQUENCE held MAXVALUE 200000", soon());
  for (int i = 0; i < 3; ++i) {
    (void)look();
    EXPECT_EQ(error_, "");
  }
  admin_.exec_script("ROLLBACK; DROP SEQUENCE held", soon());
}

TEST_F(Exhaustion, IdentifiersOfTransactionsAndMultixactsAreCountedWhileTheyAreUsed) {
  admin_.exec_script("DROP TABLE IF EXISTS shared; CREATE TABLE shared AS SELECT 1 AS a", soon());
  auto other = connect();
  // Two lockers of one row make a multixact, and a transaction each.
  const auto use_up = [&] {
    for (int i = 0; i < 20; ++i) {
      admin_.exec_script("BEGIN; SELECT * FROM shared FOR SHARE", soon());
      other.exec("SELECT * FROM shared FOR SHARE", soon());
      admin_.exec("COMMIT", soon());
    }
  };
  const auto xid = told("xid", use_up);
  EXPECT_GT(xid, 3600);
  const auto mxid = told("mxid", use_up);
  EXPECT_GT(mxid, 3600);
  admin_.exec("DROP TABLE shared", soon());
}

TEST_F(Exhaustion, ConnectionsThatGrowAreTold) {
  std::vector<pg::Connection> more;
  const auto left = told("connections", [&] {
    for (int i = 0; i < 2 && more.size() < 100; ++i) more.push_back(connect());
  });
  EXPECT_GT(left, 0);
  EXPECT_LT(left, 3600);
}

TEST_F(Exhaustion, ADiskOfTheConfigurationIsWatched) {
  auto options = quick();
  options.data_disk = scratch_dir();
  probe_ = exhaustion_probe(options);
  const auto file = scratch_dir() / "growing";
  FILE* out = std::fopen(file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  const std::string block(4 << 20, 'x');
  const auto left = told("disk_data|" + scratch_dir().string(), [&] {
    std::fwrite(block.data(), 1, block.size(), out);
    std::fflush(out);
  });
  EXPECT_GT(left, 0);
  std::fclose(out);
  std::filesystem::remove(file);
}

TEST_F(Exhaustion, TheDiskOfAServerThatRunsHereIsFoundAndOfOneThatIsQuietNothingIsTold) {
  auto options = quick();
  options.least = seconds(3600);
  probe_ = exhaustion_probe(options);
  const auto run = probe_.run(own_, read_facts(own_, soon()), soon());
  EXPECT_TRUE(run.samples.empty()) << "told from a single point";
  EXPECT_GE(run.rows, 4) << "xid, mxid, connections, and the disk of the data";
}

TEST_F(Exhaustion, AStandbyTellsItToo) {
  auto standby = pg::Connection::connect(shared_sandbox().standby(), soon());
  const auto run = probe_.run(standby, read_facts(standby, soon()), soon());
  EXPECT_EQ(run.outcome, Outcome::ok) << run.error;
  EXPECT_EQ(run.error, "");
}

}  // namespace
}  // namespace pantryd::probes
