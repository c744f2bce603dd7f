// The seed of many rows: what is put aside and made again, seeds that are killed, disks that are
// full, datasets that grow.
#include "loadgen/dataset/seed.h"

#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "loadgen/dataset/ledger.h"
#include "loadgen/dataset/rebuild.h"
#include "loadgen/dataset/verify.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "tests/support/migrate_database.h"

namespace pantryd::loadgen {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_support::connect;
using testing_support::fresh_database;
using testing_support::one;
using testing_support::pantryd_child;
using testing_support::pantryd_run;
using testing_support::shared_sandbox;
using testing_support::soon;

constexpr auto kLong = 120s;

/// A database with the schema of today, or of an earlier day.
pg::Conninfo shop(const std::string& name, const std::string& to = "") {
  const auto where = fresh_database(name);
  std::vector<std::string> up{"migrate", "up"};
  if (!to.empty()) up.insert(up.end(), {"--to", to});
  const auto result = pantryd_run(up, where);
  EXPECT_EQ(result.exit_code, 0) << result.output;
  return where;
}

/// All definitions but the seed's own ledger, in pg_dump's words.
std::string definitions(const pg::Conninfo& where) {
  ChildSpec spec;
  const auto file = testing_support::scratch_dir() / "definitions.sql";
  spec.argv = {(shared_sandbox().bin_dir() / "pg_dump").string(), "--schema-only",
               "--exclude-table=pantryd.seed_ledger", "--file=" + file.string(),
               "--dbname=" + testing_support::dsn_of(where)};
  const auto result = run_child(spec, Deadline::in(kLong));
  EXPECT_EQ(result.exit_code, 0) << result.output;
  std::istringstream lines(read_file(file));
  std::string out, line;
  while (std::getline(lines, line)) {
    // A random word that keeps psql from commands of the data, of newer pg_dump.
    if (line.starts_with("\\restrict") || line.starts_with("\\unrestrict")) continue;
    out += line + "\n";
  }
  EXPECT_THAT(out, HasSubstr("CREATE TABLE public.sales"));
  return out;
}

/// Small, and yet all of it is put aside.
SeedOptions bulk_seed(std::uint64_t seed = 1) {
  SeedOptions options;
  options.shape.seed = seed;
  options.shape.products = 1'000;
  options.shape.sales = 6'000;
  options.shape.as_of_day = 20'400;
  options.bulk_rows = 500;
  options.products_per_chunk = 300;
  options.sales_per_chunk = 700;
  return options;
}

std::string checksums(const pg::Conninfo& where) {
  const auto report = verify(where, 2);
  EXPECT_TRUE(report.ok()) << report.to_text();
  std::string out;
  for (const auto& [table, sum] : report.checksums) out += table + " " + sum + "\n";
  return out;
}

std::int64_t put_aside_now(const pg::Conninfo& where) {
  return std::stoll(one(where, "SELECT count(*) FROM pantryd.seed_ledger WHERE part = 'rebuild'"));
}

TEST(SeedTest, WhatIsPutAsideIsMadeAgainToTheLetterAndTheRowsAreTheSame) {
  const auto kept = shop("seed_kept");
  auto options = bulk_seed();
  options.keep_indexes = true;
  EXPECT_EQ(seed(kept, options).rebuilt, 0);

  const auto bulk = shop("seed_bulk");
  const auto before = definitions(bulk);
  const auto report = seed(bulk, bulk_seed());
  EXPECT_GT(report.rebuilt, 20);
  EXPECT_EQ(definitions(bulk), before);
  EXPECT_EQ(checksums(bulk), checksums(kept));
  EXPECT_EQ(one(bulk, "SELECT complete FROM sales_rollup_state"), "t");
  EXPECT_EQ(one(bulk, "SELECT count(*) > 0 FROM sales_hourly"), "t");
}

TEST(SeedTest, TheSchemaAsBuiltIsSeededAsWell) {
  const auto where = shop("seed_as_built", "006");
  const auto before = definitions(where);
  EXPECT_GT(seed(where, bulk_seed()).rebuilt, 20);
  EXPECT_EQ(definitions(where), before);
  (void)checksums(where);
}

TEST(SeedTest, SmallSeedsLeaveEveryIndexInItsPlace) {
  const auto where = shop("seed_small");
  const std::string oids =
      "SELECT string_agg(indexrelid::text, ' ' ORDER BY indexrelid) FROM pg_index "
      "WHERE indrelid = 'sales'::regclass";
  const auto before = one(where, oids);
  auto options = bulk_seed();
  options.bulk_rows = SeedOptions().bulk_rows;
  EXPECT_EQ(seed(where, options).rebuilt, 0);
  EXPECT_EQ(one(where, oids), before);
}

TEST(SeedTest, WhatADefinitionDoesNotTellStaysInPlace) {
  const auto where = shop("seed_stays");
  connect(where).exec_script(
      "COMMENT ON INDEX sales_created_at_id_index IS 'by day';"
      "COMMENT ON CONSTRAINT sales_product_id_foreign ON sales IS 'what was sold';"
      "CREATE INDEX by_month ON sales ((extract(month FROM created_at AT TIME ZONE 'UTC')));"
      "ALTER INDEX by_month ALTER COLUMN 1 SET STATISTICS 500;"
      "CLUSTER debts USING debts_status_index;"
      "ALTER TABLE debt_payments REPLICA IDENTITY USING INDEX debt_payments_pkey;"
      "CREATE TABLE shelf (product uuid REFERENCES products (id));"
      "CREATE VIEW per_sale AS SELECT id, total, count(*) FROM sales GROUP BY id;"
      "ALTER TABLE expenses ADD EXCLUDE USING btree (receipt_number WITH =);"
      "ALTER TABLE sales DROP CONSTRAINT sales_created_by_foreign;"
      "ALTER TABLE sales ADD CONSTRAINT \"Odd name\" FOREIGN KEY (created_by) REFERENCES users (id)"
      "  DEFERRABLE INITIALLY DEFERRED NOT VALID;"
      "CREATE UNIQUE INDEX \"Odd index\" ON sales (lower(notes)) INCLUDE (total)"
      "  WITH (fillfactor = 70) WHERE notes IS NOT NULL;"
      "ALTER TABLE products ADD CONSTRAINT late UNIQUE (barcode, name) DEFERRABLE INITIALLY "
      "DEFERRED;"
      "ALTER TABLE sales DISABLE TRIGGER sales_rollup_delete;"
      "ALTER TABLE sales ENABLE ALWAYS TRIGGER sales_rollup_insert",
      soon());
  const auto before = definitions(where);
  const auto kept = one(where, "SELECT 'products_pkey'::regclass::oid");
  EXPECT_GT(seed(where, bulk_seed()).rebuilt, 15);
  EXPECT_EQ(definitions(where), before);
  EXPECT_EQ(one(where, "SELECT 'products_pkey'::regclass::oid"), kept);  // shelf points at it
  EXPECT_EQ(one(where, "SELECT count(*) FROM sales_rollup_difference()"), "0");
}

/// Kills at a moment drawn at random, five times, in whatever the seed is doing.
TEST(SeedTest, KilledFiveTimesItEndsAsIfNothingHadHappened) {
  const std::vector<std::string> command{"seed",   "--products", "60000", "--sales",
                                         "150000", "--jobs",     "2"};
  const auto calm = shop("seed_calm");
  const auto start = SteadyClock::now();
  ASSERT_EQ(pantryd_run(command, calm).exit_code, 0);
  const auto whole = std::chrono::duration<double>(SteadyClock::now() - start);

  const auto where = shop("seed_killed");
  const auto before = definitions(where);
  const auto random_seed = std::random_device{}();
  SCOPED_TRACE("random seed " + std::to_string(random_seed));
  std::mt19937 random(random_seed);
  std::uniform_real_distribution<double> moment(0, whole.count() / 3);
  std::string left;  // chunks and steps at each kill, for whoever reads a failure
  int kills = 0;
  bool anew = false;
  for (int attempt = 0; kills < 5 && attempt < 40; ++attempt) {
    auto arguments = command;
    if (anew) arguments.emplace_back("--force");
    auto spec = pantryd_child(arguments, where);
    spec.output = testing_support::scratch_dir() / "killed.log";
    Child child(spec);
    if (const auto code =
            child.wait(Deadline::in(std::chrono::duration_cast<std::chrono::nanoseconds>(
                std::chrono::duration<double>(moment(random)))))) {
      ASSERT_EQ(*code, 0) << read_file(spec.output);
      // It was done before we struck: the rest of the kills is for another dataset, then this one.
      ASSERT_EQ(
          pantryd_run({"seed", "--force", "--products", "5", "--sales", "5"}, where).exit_code, 0);
      anew = true;
      continue;
    }
    child.signal(SIGKILL);
    ASSERT_EQ(child.wait(Deadline::in(kLong)), 128 + SIGKILL);
    anew = false;
    ++kills;
    left += one(where,
                "SELECT string_agg(part || ' ' || n, ', ') FROM (SELECT part, count(*) AS n "
                "FROM pantryd.seed_ledger GROUP BY 1) AS parts") +
            "\n";
  }
  ASSERT_EQ(kills, 5);
  SCOPED_TRACE(left);
  auto last = command;
  if (anew) last.emplace_back("--force");
  const auto result = pantryd_run(last, where);
  ASSERT_EQ(result.exit_code, 0) << result.output;
  EXPECT_EQ(definitions(where), before);
  EXPECT_EQ(checksums(where), checksums(calm));
}

/// Starts a seed and kills it when `enough` is true of the ledger.
void kill_when(const pg::Conninfo& where, std::vector<std::string> arguments,
               const std::string& enough) {
  Child child(pantryd_child(std::move(arguments), where));
  auto connection = connect(where);
  const auto there = "SELECT to_regclass('pantryd.seed_ledger') IS NOT NULL";
  ASSERT_TRUE(testing_support::becomes_true(connection, there));
  ASSERT_TRUE(
      testing_support::becomes_true(connection, "SELECT " + enough + " FROM pantryd.seed_ledger"));
  child.signal(SIGKILL);
  ASSERT_EQ(child.wait(Deadline::in(kLong)), 128 + SIGKILL);
}

TEST(SeedTest, KilledWhileItBuildsItBuildsTheRest) {
  const auto where = shop("seed_building");
  const auto before = definitions(where);
  const std::vector<std::string> command{"seed", "--products", "60000", "--sales", "60000"};
  kill_when(where, command,
            "count(*) FILTER (WHERE part = 'sales') = 2 AND "
            "count(*) FILTER (WHERE part = 'rebuild' AND details->>'sql' LIKE 'CREATE%') BETWEEN 2 "
            "AND 9");
  EXPECT_GT(put_aside_now(where), 0);
  EXPECT_NE(definitions(where), before);
  const auto load = pantryd_run({"load", "run", "--rate", "10", "--duration", "1s"}, where);
  EXPECT_EQ(load.exit_code, 1) << load.output;
  EXPECT_THAT(load.output, HasSubstr("not complete"));
  const auto again = pantryd_run(command, where);
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(definitions(where), before);
  (void)checksums(where);
}

TEST(SeedTest, AKilledSeedThatIsNotWantedAnyMoreLeavesNoHoleInTheSchema) {
  const auto where = shop("seed_unwanted");
  const auto before = definitions(where);
  kill_when(where, {"seed", "--products", "60000", "--sales", "60000"},
            "count(*) FILTER (WHERE part = 'rebuild') > 0");
  const auto refused = pantryd_run({"seed", "--products", "7", "--sales", "9"}, where);
  const auto forced = pantryd_run({"seed", "--products", "7", "--sales", "9", "--force"}, where);
  EXPECT_EQ(forced.exit_code, 0) << forced.output;
  EXPECT_EQ(definitions(where), before);
  EXPECT_EQ(one(where, "SELECT count(*) FROM sales"), "9");
  (void)checksums(where);
}

/// A folder on a file system of its own, so small that it fills up.
class SmallDisk {
 public:
  SmallDisk() : path_(testing_support::scratch_dir() / "small-disk") {
    std::filesystem::create_directories(path_);
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=12m,mode=0700") == 0;
    if (const auto user = server_user(); mounted_ && user) {
      ok_ = ::chown(path_.c_str(), user->uid, user->gid) == 0;
    }
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  [[nodiscard]] bool usable() const { return mounted_ && ok_; }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  bool enlarge() const {
    return ::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=400m,mode=0700") == 0;
  }

 private:
  std::filesystem::path path_;
  bool mounted_ = false;
  bool ok_ = false;
};

TEST(SeedTest, AFullDiskIsToldAndWithMoreRoomTheSeedGoesOn) {
  const auto where = shop("seed_disk");
  const SmallDisk disk;
  // Without the right to mount, the server is made to say what it says then.
  if (disk.usable()) {
    connect(where).exec("CREATE TABLESPACE small LOCATION '" + disk.path().string() + "'", soon());
    connect(where).exec_script(
        "ALTER TABLE sales SET TABLESPACE small;"
        "ALTER INDEX sales_product_id_index SET TABLESPACE small",
        soon());
  } else {
    connect(where).exec_script(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT "
        "count(*) FROM pantryd.seed_ledger WHERE part = 'sales') > 0 THEN RAISE EXCEPTION "
        "'No space left on device' USING ERRCODE = 'disk_full'; END IF; RETURN NULL; END $$;"
        "CREATE TRIGGER full_disk AFTER INSERT ON sales EXECUTE FUNCTION full_disk()",
        soon());
  }
  const auto before = definitions(where);
  const std::vector<std::string> command{"seed", "--products", "1000", "--sales", "150000"};
  const auto full = pantryd_run(command, where);
  EXPECT_EQ(full.exit_code, 1) << full.output;
  EXPECT_THAT(full.output, HasSubstr("the disk of the server is full"));
  EXPECT_THAT(full.output, HasSubstr("HINT: Free space"));
  if (disk.usable()) {
    ASSERT_TRUE(disk.enlarge());
  } else {
    connect(where).exec("ALTER TABLE sales DISABLE TRIGGER full_disk", soon());
  }
  const auto again = pantryd_run(command, where);
  EXPECT_EQ(again.exit_code, 0) << again.output;
  if (disk.usable()) {
    EXPECT_EQ(definitions(where), before);
  }
  (void)checksums(where);
  if (disk.usable()) {
    connect(shared_sandbox().primary()).exec("DROP DATABASE seed_disk WITH (FORCE)", soon());
    connect(shared_sandbox().primary()).exec("DROP TABLESPACE small", soon());
  }
}

TEST(SeedTest, ADatasetGrowsAndItsFirstRowsStayAsTheyAre) {
  const auto where = shop("seed_grows");
  (void)seed(where, bulk_seed());
  connect(where).exec("CREATE TABLE first_rows AS SELECT * FROM sales", soon());
  const auto before = definitions(where);
  auto more = bulk_seed();
  more.shape = {};
  more.top_up = 1'000;  // beside the indexes
  EXPECT_EQ(seed(where, more).rebuilt, 0);
  more.top_up = 20'000;  // more than there was: what slows is put aside again
  EXPECT_GT(seed(where, more).rebuilt, 10);
  EXPECT_EQ(one(where, "SELECT count(*) FROM sales"), "27000");
  EXPECT_EQ(one(where, "SELECT count(*) FROM (TABLE first_rows EXCEPT TABLE sales) AS lost"), "0");
  EXPECT_EQ(definitions(where), before);
  const auto sums = checksums(where);
  const auto again = seed(where, bulk_seed());
  EXPECT_TRUE(again.already_there);
  EXPECT_EQ(again.shape.sales, 27'000);
  EXPECT_EQ(checksums(where), sums);
}

TEST(SeedTest, AnInterruptedTopUpGoesOnAndAnotherOneMustWait) {
  const auto where = shop("seed_top_up");
  (void)seed(where, bulk_seed());
  auto more = bulk_seed();
  more.top_up = 2'000;
  (void)seed(where, more);
  const auto sums = checksums(where);
  // As a crash leaves it: the ledger knows of the sales to come, and its last chunk is not there.
  auto whole = bulk_seed().shape;
  whole.sales = 8'000;
  whole.top_ups = {2'000};
  const Grocery grocery(whole);
  std::string last_chunk;
  for (std::int64_t i = 7'400; i < 8'000; ++i) {
    last_chunk += (last_chunk.empty() ? "'" : ",'") + to_text(grocery.id(Table::sales, i)) + "'";
  }
  connect(where).exec_script(
      "DELETE FROM debt_payments p USING debts d WHERE p.debt_id = d.id AND d.sale_id IN (" +
          last_chunk + "); DELETE FROM debts WHERE sale_id IN (" + last_chunk +
          "); DELETE FROM sales WHERE id IN (" + last_chunk +
          "); DELETE FROM pantryd.seed_ledger WHERE part = 'complete' OR"
          " part IN ('sales', 'debts', 'debt_payments') AND chunk > (SELECT max(chunk) - 1"
          "  FROM pantryd.seed_ledger WHERE part = 'sales')",
      soon());
  const auto rows = std::stoll(one(where, "SELECT count(*) FROM sales"));
  ASSERT_EQ(rows, 7'400);
  auto other = more;
  other.top_up = 500;
  EXPECT_THROW((void)seed(where, other), Error);
  const auto report = seed(where, more);
  EXPECT_TRUE(report.resumed);
  EXPECT_EQ(checksums(where), sums);
}

TEST(SeedTest, OnlyWhatTheSeedMadeCanGrow) {
  const auto where = shop("seed_nothing");
  auto more = bulk_seed();
  more.top_up = 10;
  EXPECT_THROW((void)seed(where, more), Error);
  const auto bare = pantryd_run({"seed", "--top-up"}, where);
  EXPECT_EQ(bare.exit_code, 2) << bare.output;
  const auto products = pantryd_run({"seed", "--top-up", "--sales", "5", "--products", "9"}, where);
  EXPECT_EQ(products.exit_code, 2) << products.output;
  EXPECT_EQ(pantryd_run({"seed", "--keys", "v5"}, where).exit_code, 2);
  EXPECT_EQ(one(where, "SELECT count(*) FROM products"), "0");
}

TEST(SeedTest, KeysOfVersion7AreInTheOrderOfTimeAndALoadFindsThem) {
  const auto where = shop("seed_v7");
  auto options = bulk_seed();
  options.shape.keys = Keys::v7;
  options.shape.as_of_day = 0;
  (void)seed(where, options);
  (void)checksums(where);
  for (const char* table : {"users", "products", "sales", "expenses", "debts", "debt_payments"}) {
    EXPECT_EQ(
        one(where, std::string("SELECT count(*) FROM (SELECT created_at < lag(created_at) OVER "
                               "(ORDER BY id) AS back FROM ") +
                       table + ") AS steps WHERE back"),
        "0")
        << table;
    EXPECT_EQ(one(where, std::string("SELECT count(*) FROM ") + table +
                             " WHERE substr(id::text, 15, 1) <> '7'"),
              "0")
        << table;
  }
  LoadOptions load;
  load.workload = load_workload("");
  load.rate_per_s = 100;
  load.connections = 4;
  load.users = 20;
  load.duration = 2s;
  load.warmup = 0s;
  const auto result = run_and_judge(where, load);
  EXPECT_EQ(result.errors(), 0) << to_text(result);
  EXPECT_GT(result.completed(), 0);
}

TEST(SeedTest, VerifyTellsWhatIsNotAsItWasMade) {
  const auto where = shop("seed_verify");
  EXPECT_EQ(pantryd_run({"seed", "--verify"}, where).exit_code, 1);
  (void)seed(where, bulk_seed());
  EXPECT_EQ(pantryd_run({"seed", "--verify"}, where).exit_code, 0);
  const std::pair<const char*, const char*> harms[] = {
      {"UPDATE sales SET total = total + 0.01 WHERE id = (SELECT id FROM sales LIMIT 1)",
       "amounts"},
      {"UPDATE sales SET created_at = created_at + '1s' WHERE id = (SELECT id FROM sales LIMIT 1)",
       "times"},
      {"DELETE FROM debt_payments WHERE id = (SELECT id FROM debt_payments LIMIT 1)",
       "debt_payments: rows"},
      {"UPDATE debts SET balance = balance + 1", "balance"},
      {"ALTER TABLE sales DISABLE TRIGGER ALL; DELETE FROM sales WHERE payment_method = 'cash';"
       "ALTER TABLE sales ENABLE TRIGGER ALL",
       "sums of the sales"},
  };
  for (const auto& [harm, named] : harms) {
    connect(where).exec_script(harm, soon());
    const auto told = pantryd_run({"seed", "--verify"}, where);
    EXPECT_EQ(told.exit_code, 1) << harm;
    EXPECT_THAT(told.output, HasSubstr("DIFFERS")) << harm;
    EXPECT_THAT(told.output, HasSubstr(named)) << harm;
  }
}

}  // namespace
}  // namespace pantryd::loadgen
