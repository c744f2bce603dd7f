// What the probes say of replication where the truth is hard to see: receivers that are no standby,
// standbys that share name and address, that are idle, cut off, or fed from the archive.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>

#include "base/error.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "tests/support/probe_look.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using namespace testing_support;
using std::chrono::seconds;

constexpr const char* kTotal = "pantryd_replication_total_bytes|";
constexpr const char* kStandbys = "pantryd_replication_standbys";

void run_as_server(const std::vector<std::string>& argv) {
  ChildSpec spec;
  spec.argv = argv;
  spec.cwd = shared_sandbox().dir();
  spec.run_as = server_user();
  const auto result = run_child(spec, soon());
  if (!result.ok()) throw Error(ExitCode::failed, argv.front() + ": " + result.tail());
}

/// A client program that runs until it goes out of scope.
Child start_tool(const std::string& program, std::vector<std::string> arguments) {
  ChildSpec spec;
  spec.argv = {(shared_sandbox().bin_dir() / program).string()};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  spec.cwd = shared_sandbox().dir();
  spec.run_as = server_user();
  spec.parent_death_signal = SIGKILL;
  spec.output = shared_sandbox().dir() / "log/tool.log";
  return Child(spec);
}

std::string unquoted(const pg::Conninfo& where) {
  std::string out;
  for (const char c : where.reveal()) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out;
}

pg::Conninfo source() {
  return shared_sandbox().primary().with("dbname", "");
}

/// One more standby of the sandbox's primary, which reports as "standby" from the same address as
/// the sandbox's own. Gone with it.
class OneMoreStandby {
 public:
  /// `settings`: more lines of its configuration.
  OneMoreStandby(const std::string& name, const pg::Conninfo& upstream, const std::string& settings)
      : dir_(shared_sandbox().dir() / name), port_(find_free_port_pair()) {
    run_as_server({(shared_sandbox().bin_dir() / "pg_basebackup").string(), "-d", source().reveal(),
                   "-D", dir_.string(), "-X", "stream", "-c", "fast", "--no-sync"});
    write_file_atomically(
        scratch_dir() / "more.conf",
        fmt::format("port = {}\nprimary_conninfo = '{}'\narchive_mode = off\n{}\n", port_,
                    unquoted(upstream), settings));
    const auto more = scratch_dir() / "more.conf";
    run_as_server({"sh", "-euc",
                   fmt::format("cat '{}' >> '{}/postgresql.auto.conf'; touch '{}/standby.signal'",
                               more.string(), dir_.string(), dir_.string())});
    ChildSpec spec;
    spec.argv = {(shared_sandbox().bin_dir() / "postgres").string(), "-D", dir_.string()};
    spec.run_as = server_user();
    spec.cwd = dir_;
    spec.output = shared_sandbox().dir() / ("log/" + name + ".log");
    spec.parent_death_signal = SIGKILL;
    server_.emplace(spec);
    if (!within(seconds(20), [&] { return answers(); })) {
      throw Error(ExitCode::failed, read_file(spec.output));
    }
  }
  ~OneMoreStandby() {
    server_->signal(SIGINT, false);
    (void)server_->wait(soon());
  }
  OneMoreStandby(const OneMoreStandby&) = delete;
  OneMoreStandby& operator=(const OneMoreStandby&) = delete;

  [[nodiscard]] pg::Conninfo where() const {
    // The file of passwords has the ports of the sandbox alone.
    const auto line = read_file(shared_sandbox().dir() / "pgpass");
    const auto end = line.find('\n');
    const auto begin = line.rfind(':', end) + 1;
    return shared_sandbox()
        .primary()
        .with("passfile", "")
        .with("password", line.substr(begin, end - begin))
        .with("port", std::to_string(port_));
  }
  [[nodiscard]] pg::Connection connect() const { return pg::Connection::connect(where(), soon()); }

 private:
  bool answers() const {
    try {
      (void)connect();
      return true;
    } catch (const pg::PgError&) {
      return false;
    }
  }

  std::filesystem::path dir_;
  std::uint16_t port_;
  std::optional<Child> server_;
};

pg::Conninfo upstream_as(const std::string& name) {
  return source().with("application_name", name);
}

class ReplicationTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto& sandbox = shared_sandbox();
    // The standby must allow for as many prepared transactions as the primary.
    for (const auto& where : {sandbox.standby(), sandbox.primary()}) {
      auto admin = pg::Connection::connect(where, soon());
      admin.exec("ALTER SYSTEM SET wal_level = logical", soon());
      admin.exec("ALTER SYSTEM SET max_prepared_transactions = 4", soon());
    }
    sandbox.stop_standby();
    sandbox.stop_primary();
    sandbox.start_primary();
    sandbox.start_standby();
  }
  Values primary(const std::string& probe = "replication") { return values_of(watcher_, probe); }
  void write_wal() {
    admin_.exec("CREATE TABLE IF NOT EXISTS rows AS SELECT 1 AS a", soon());
    admin_.exec("INSERT INTO rows SELECT generate_series(1, 20000)", soon());
  }
  /// Until all standbys but `held` of them have replayed what the primary has written.
  bool caught_up(int held = 0) {
    return within(seconds(20), [&] {
      return admin_
                 .exec(
                     "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS NOT NULL "
                     "AND replay_lsn < pg_current_wal_lsn()",
                     soon())
                 .i64(0, 0) == held;
    });
  }
  pg::Connection admin_ = connect();
  pg::Connection watcher_ = watch(shared_sandbox().primary());
};

TEST_F(ReplicationTest, TwoStandbysWithOneNameBothShowAndTheWorseKeepsTheLabels) {
  const std::string labels = "standby|127.0.0.1/32";
  ASSERT_TRUE(caught_up());
  EXPECT_FALSE(value(primary(), kTotal + labels + "|2")) << "one alone has no number";
  const OneMoreStandby twin("twin", upstream_as("standby"), "");
  ASSERT_TRUE(within(seconds(20), [&] { return value(primary(), kStandbys) == 2; }));
  for (const auto& held : {twin.where(), shared_sandbox().standby()}) {
    auto paused = pg::Connection::connect(held, soon());
    paused.exec("SELECT pg_wal_replay_pause()", soon());
    write_wal();
    ASSERT_TRUE(caught_up(1));
    const auto seen = primary();
    EXPECT_EQ(value(seen, kStandbys), 2);
    EXPECT_GT(value(seen, kTotal + labels).value_or(0), 1e6) << "whichever of them it is";
    EXPECT_EQ(value(seen, kTotal + labels + "|2"), 0);
    // The sandbox's own standby has a slot, which is a label here.
    EXPECT_GT(sum_of(seen, "pg_stat_replication_pg_wal_lsn_diff"), 1e6);
    paused.exec("SELECT pg_wal_replay_resume()", soon());
    ASSERT_TRUE(caught_up());
  }
}

/// A subscription of another database of the same server. Gone with it.
class Subscription {
 public:
  explicit Subscription(pg::Connection& admin) : admin_(admin) {
    admin.exec_script(
        "CREATE TABLE published (a int); CREATE PUBLICATION changes FOR TABLE published", soon());
    admin.exec("SELECT pg_create_logical_replication_slot('decoded', 'pgoutput')", soon());
    admin.exec("CREATE DATABASE subscribed", soon());
    session_.emplace(
        pg::Connection::connect(shared_sandbox().primary().with("dbname", "subscribed"), soon()));
    session_->exec_script(
        fmt::format("CREATE TABLE published (a int); CREATE SUBSCRIPTION subscriber CONNECTION "
                    "'{}' PUBLICATION changes WITH (create_slot = false, slot_name = 'decoded')",
                    unquoted(shared_sandbox().primary())),
        soon());
  }
  ~Subscription() {
    for (const auto* const then :
         {"ALTER SUBSCRIPTION subscriber DISABLE",
          "ALTER SUBSCRIPTION subscriber SET (slot_name = NONE)", "DROP SUBSCRIPTION subscriber"}) {
      session_->exec(then, soon());
    }
    session_.reset();
    EXPECT_TRUE(within(seconds(20), [&] {
      return admin_
          .exec(
              "SELECT bool_and(NOT active) FROM pg_replication_slots "
              "WHERE slot_name = 'decoded'",
              soon())
          .boolean(0, 0);
    }));
    admin_.exec("SELECT pg_drop_replication_slot('decoded')", soon());
    admin_.exec("DROP DATABASE subscribed WITH (FORCE)", soon());
    admin_.exec_script("DROP PUBLICATION changes; DROP TABLE published", soon());
  }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  pg::Connection& admin_;
  std::optional<pg::Connection> session_;
};

TEST_F(ReplicationTest, AReceiverOfWalAndASubscriberAreNoStandbys) {
  EXPECT_EQ(value(primary(), kStandbys), 1);
  EXPECT_EQ(value(primary(), "pantryd_replication_other_receivers"), 0);
  run_as_server({"mkdir", "-p", (shared_sandbox().dir() / "received").string()});
  const auto wal = start_tool(
      "pg_receivewal", {"-d", upstream_as("archiver").reveal(), "-D", "received", "--no-sync"});
  const Subscription subscription(admin_);
  EXPECT_TRUE(within(seconds(20), [&] {
    return admin_
               .exec("SELECT count(*) FROM pg_stat_replication WHERE replay_lsn IS NOT NULL",
                     soon())
               .i64(0, 0) == 2;
  })) << "the subscriber says what it has replayed, as the standby does";
  EXPECT_EQ(value(primary(), kStandbys), 1);
  shared_sandbox().stop_standby();
  EXPECT_TRUE(within(seconds(20), [&] {
    const auto seen = primary();
    return value(seen, kStandbys) == 0 && value(seen, "pantryd_replication_other_receivers") == 1 &&
           value(seen, "pantryd_replication_logical_receivers") == 1;
  })) << "the standby is gone, and nothing replaces it";
  write_wal();
  const auto seen = primary();
  EXPECT_FALSE(value(seen, std::string(kTotal) + "archiver|127.0.0.1/32"));
  EXPECT_FALSE(value(seen, std::string(kTotal) + "subscriber|127.0.0.1/32"));
  EXPECT_TRUE(value(seen, "pantryd_replication_unsent_bytes|archiver|127.0.0.1/32"));
  EXPECT_TRUE(value(seen, "pantryd_replication_unsent_bytes|subscriber|127.0.0.1/32"));
  const auto slots = primary("slots");
  EXPECT_TRUE(value(slots, "pantryd_slot_unconfirmed_bytes|decoded|zion_grocery_db"));
  EXPECT_FALSE(value(slots, "pantryd_slot_unconfirmed_bytes|standby|")) << "it is physical";
  shared_sandbox().start_standby();
  EXPECT_TRUE(within(seconds(20), [&] { return value(primary(), kStandbys) == 1; }));
}

TEST_F(ReplicationTest, AStandbyThatNeverReplayedATransactionDoesNotKnowItsDelay) {
  const OneMoreStandby cut_off("cut-off", pg::Conninfo::parse("host=127.0.0.1 port=1"), "");
  auto watcher = watch(cut_off.where());
  const auto seen = values_of(watcher, "standby");
  EXPECT_EQ(value(seen, "pantryd_standby_receiver_streaming"), 0);
  EXPECT_FALSE(value(seen, "pantryd_standby_replay_delay_seconds"));
  EXPECT_FALSE(value(values_of(watcher, "up"), "pg_replication_last_replay_seconds"));
  EXPECT_FALSE(value(values_of(watcher, "up"), "pg_replication_lag_seconds"));
  write_wal();
  ASSERT_TRUE(caught_up());
  auto healthy = watch(shared_sandbox().standby());
  EXPECT_TRUE(value(values_of(healthy, "up"), "pg_replication_last_replay_seconds"));
  EXPECT_EQ(value(values_of(healthy, "standby"), "pantryd_standby_replay_delay_seconds"), 0);
  EXPECT_EQ(value(primary("up"), "pg_replication_last_replay_seconds"), 0);
}

TEST_F(ReplicationTest, ASlotOnAStandbyThatIsFedFromTheArchiveHoldsWhatItHolds) {
  const OneMoreStandby fed("fed", upstream_as("fed"),
                           fmt::format("restore_command = 'cp {}/%f %p'\n"
                                       "wal_retrieve_retry_interval = 100ms",
                                       shared_sandbox().archive_dir().string()));
  auto admin = fed.connect();
  admin.exec("SELECT pg_create_physical_replication_slot('early', true)", soon());
  admin.exec("ALTER SYSTEM SET primary_conninfo = ''", soon());
  admin.exec("SELECT pg_reload_conf()", soon());
  for (int i = 0; i < 3; ++i) {
    write_wal();
    admin_.exec("SELECT pg_switch_wal()", soon());
  }
  admin_.exec("CHECKPOINT", soon());
  admin_.exec("SELECT pg_switch_wal()", soon());
  ASSERT_TRUE(within(seconds(20), [&] {
    return admin
        .exec("SELECT pg_last_wal_replay_lsn() - pg_last_wal_receive_lsn() > 3 * 16777216", soon())
        .boolean(0, 0);
  })) << read_file(shared_sandbox().dir() / "log/fed.log");
  admin.exec("CHECKPOINT", soon());
  admin.exec("SELECT pg_create_physical_replication_slot('late', true)", soon());
  auto watcher = watch(fed.where());
  const auto held = [&](const std::string& slot) {
    return admin
        .exec(
            "SELECT (pg_last_wal_replay_lsn() - restart_lsn)::float8 FROM pg_replication_slots "
            "WHERE slot_name = $1",
            pg::Params::of(slot), soon())
        .f64(0, 0);
  };
  const auto seen = values_of(watcher, "slots");
  EXPECT_EQ(value(seen, "pg_replication_slots_pg_wal_lsn_diff|early|"), held("early"));
  EXPECT_EQ(value(seen, "pg_replication_slots_pg_wal_lsn_diff|late|"), held("late"));
  EXPECT_GT(held("early"), 3 * 16777216);
  EXPECT_GE(held("late"), 0);
}

TEST_F(ReplicationTest, APreparedTransactionThatBlocksHasItsAge) {
  EXPECT_EQ(value(primary("blocking"), "pantryd_blocking_longest_transaction_seconds"), 0);
  admin_.exec("CREATE TABLE IF NOT EXISTS rows AS SELECT 1 AS a", soon());
  admin_.exec_script("BEGIN; LOCK TABLE rows; PREPARE TRANSACTION 'orphan'", soon());
  std::this_thread::sleep_for(seconds(1));
  auto waiter = connect();
  waiter.send("SELECT count(*) FROM rows", {});
  (void)waiter.flush();
  Values seen;
  EXPECT_TRUE(within(seconds(10), [&] {
    seen = primary("blocking");
    return value(seen, "pantryd_blocked_sessions") == 1;
  }));
  EXPECT_EQ(value(seen, "pantryd_blocking_sessions"), 1);
  EXPECT_EQ(value(seen, "pantryd_blocking_prepared_transactions"), 1);
  EXPECT_GE(value(seen, "pantryd_blocking_longest_transaction_seconds").value_or(0), 1);
  admin_.exec("ROLLBACK PREPARED 'orphan'", soon());

  auto holder = connect();
  holder.exec_script("BEGIN; LOCK TABLE rows", soon());
  auto second = connect();
  second.send("SELECT count(*) FROM rows", {});
  (void)second.flush();
  EXPECT_TRUE(within(seconds(10), [&] {
    seen = primary("blocking");
    return value(seen, "pantryd_blocking_sessions") == 1;
  }));
  EXPECT_EQ(value(seen, "pantryd_blocking_prepared_transactions"), 0) << "an ordinary session";
  EXPECT_EQ(value(seen, "pantryd_blocked_unexamined"), 0);
  holder.exec("ROLLBACK", soon());
}

TEST_F(ReplicationTest, ABackupOfUnknownSizeHasNoShareThatIsDone) {
  const auto backup =
      start_tool("pg_basebackup", {"-d", source().reveal(), "-D", "slow", "-X", "none", "-c",
                                   "fast", "--max-rate=32k", "--no-estimate-size", "--no-sync"});
  const std::string labels = "|base backup||";
  const auto phase = "|streaming database files";
  Values seen;
  EXPECT_TRUE(within(seconds(15), [&] {
    seen = primary("progress");
    return value(seen, "pantryd_progress_running" + labels + phase) == 1;
  }));
  EXPECT_TRUE(value(seen, "pantryd_progress_bytes" + labels + phase));
  EXPECT_FALSE(value(seen, "pantryd_progress_ratio" + labels + phase)) << "unknown is not all";
}

/// An idle sender is heard of only when the receiver asks it, which it never does without
/// wal_receiver_timeout. Silence of 30 s was taken for a cut link, and the delay of such a standby
/// grew for as long as nothing was written. A primary is never idle for long in a test, so that its
/// sender is made to keep still.
TEST_F(ReplicationTest, AnIdleStandbyThatHasReplayedAllIsNotLate) {
  auto standby = pg::Connection::connect(shared_sandbox().standby(), soon());
  standby.exec("ALTER SYSTEM SET wal_receiver_timeout = 0", soon());
  shared_sandbox().stop_standby();
  shared_sandbox().start_standby();
  write_wal();
  ASSERT_TRUE(caught_up());
  const auto sender = static_cast<pid_t>(
      admin_.exec("SELECT pid FROM pg_stat_replication WHERE application_name = 'standby'", soon())
          .i64(0, 0));
  auto watcher = watch(shared_sandbox().standby());
  ASSERT_EQ(::kill(sender, SIGSTOP), 0);
  Values seen;
  EXPECT_TRUE(within(
      seconds(45),
      [&] {
        seen = values_of(watcher, "standby");
        return value(seen, "pantryd_standby_last_message_age_seconds").value_or(0) > 31;
      },
      seconds(1)));
  EXPECT_EQ(::kill(sender, SIGCONT), 0);
  EXPECT_EQ(value(seen, "pantryd_standby_replay_delay_seconds"), 0);
  standby = pg::Connection::connect(shared_sandbox().standby(), soon());
  standby.exec("SELECT pg_wal_replay_pause()", soon());
  write_wal();
  EXPECT_TRUE(within(seconds(10), [&] {
    return value(values_of(watcher, "standby"), "pantryd_standby_replay_delay_seconds")
               .value_or(0) > 0;
  })) << "one that does not replay is late";
  standby.exec("SELECT pg_wal_replay_resume()", soon());
}

}  // namespace
}  // namespace pantryd
