// Cached statements through PgBouncer, which lends a client another session of the server for each
// transaction: what was prepared in one of them is not there in the next.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdio>
#include <memory>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.h"
#include "pg/sqlstate.h"
#include "tests/support/pgbouncer.h"
#include "tests/support/sessions.h"

namespace pantryd::pg {
namespace {

using namespace testing_support;

constexpr int kServerSessions = 2;
constexpr int kClients = 6;
const std::string kStatement = "SELECT $1::bigint, pg_backend_pid()";

std::vector<Connection> clients_of(const PgBouncer& pooler, const ConnectOptions& options = {}) {
  std::vector<Connection> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.push_back(Connection::connect(pooler.conninfo(), soon(), options));
  }
  return clients;
}

/// Lets every client run the statement again and again, with transactions of others in between so
/// that the sessions change hands. Returns the sessions of the first client.
std::set<std::int64_t> run_all(std::vector<Connection>& clients) {
  std::set<std::int64_t> sessions;
  for (int round = 0; round < 10; ++round) {
    auto& blocker = clients[static_cast<std::size_t>(1 + round % (kClients - 1))];
    blocker.exec("BEGIN", soon());
    blocker.exec_cached(kStatement, Params::of(round), soon());
    for (auto& client : clients) {
      if (&client == &blocker) continue;
      const auto result = client.exec_cached(kStatement, Params::of(round), soon());
      EXPECT_EQ(result.i64(0, 0), round);
      if (&client == &clients.front()) sessions.insert(result.i64(0, 1));
    }
    blocker.exec("COMMIT", soon());
  }
  return sessions;
}

std::int64_t prepared_on_the_server(const PgBouncer& pooler) {
  auto client = Connection::connect(pooler.conninfo(), soon(), {.prepared = Prepared::unnamed});
  return prepared_count(client);
}

/// "1.18" of "PgBouncer 1.18.0".
std::pair<int, int> version_of(const PgBouncer& pooler) {
  auto text = read_file(pooler.log_file());
  int major = 0;
  int minor = 0;
  const auto at = text.find("PgBouncer ");
  if (at != std::string::npos) {
    std::sscanf(text.c_str() + at, "PgBouncer %d.%d", &major, &minor);
  }
  return {major, minor};
}

class PreparedPoolerTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(has_pgbouncer()) << "pgbouncer is not installed: ./run install pgbouncer";
    pooler_ = std::make_unique<PgBouncer>(shared_sandbox().primary(), options_);
  }
  /// Round robin, so that a client does not keep its session by chance.
  PgBouncerOptions options_{.pool_mode = "transaction",
                            .pool_size = kServerSessions,
                            .settings = {{"server_round_robin", "1"}}};
  std::unique_ptr<PgBouncer> pooler_;
};

TEST_F(PreparedPoolerTest, AutomaticFindsThePoolerAndRunsUnnamedWhicheverSessionItGets) {
  auto clients = clients_of(*pooler_);
  EXPECT_EQ(run_all(clients).size(), static_cast<std::size_t>(kServerSessions));
  EXPECT_EQ(prepared_on_the_server(*pooler_), 0);
}

TEST_F(PreparedPoolerTest, AutomaticIsDecidedInsideATransactionToo) {
  auto client = Connection::connect(pooler_->conninfo(), soon());
  client.exec("BEGIN", soon());
  EXPECT_EQ(client.exec_cached(kStatement, Params::of(7), soon()).i64(0, 0), 7);
  client.exec("COMMIT", soon());
  EXPECT_EQ(prepared_on_the_server(*pooler_), 0);
}

TEST_F(PreparedPoolerTest, ManyThreadsAtOnceGetTheirOwnAnswers) {
  auto clients = clients_of(*pooler_);
  std::vector<std::thread> threads;
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 200; ++n) {
        auto& client = clients[static_cast<std::size_t>(i)];
        const auto sql = fmt::format("SELECT $1::bigint + {}", n % 7);
        EXPECT_EQ(client.exec_cached(sql, Params::of(i * 1000 + n), soon()).i64(0, 0),
                  i * 1000 + n + n % 7);
      }
    });
  }
  for (auto& each : threads) each.join();
}

TEST_F(PreparedPoolerTest, AfterARestartOfThePoolerAClientThatConnectsAgainGoesOn) {
  auto client = Connection::connect(pooler_->conninfo(), soon());
  client.exec_cached(kStatement, Params::of(1), soon());
  pooler_->stop();
  try {
    client.exec_cached(kStatement, Params::of(2), soon());
    FAIL() << "a broken connection answered";
  } catch (const PgError& error) {
    EXPECT_EQ(error.failure(), Failure::lost);
  }
  EXPECT_FALSE(client.make_idle(soon(), Reset::tracked));
  pooler_->start();
  auto clients = clients_of(*pooler_);
  run_all(clients);
}

TEST_F(PreparedPoolerTest, SessionsThatThePoolerReplacedDoNotMatter) {
  auto clients = clients_of(*pooler_);
  run_all(clients);
  pooler_->console("RECONNECT");
  run_all(clients);
}

TEST_F(PreparedPoolerTest, AResetThroughItLeavesTheClientUsable) {
  auto clients = clients_of(*pooler_);
  for (auto& client : clients) {
    client.exec_cached("SET work_mem = '5MB'", soon());
    EXPECT_TRUE(client.make_idle(soon(), Reset::tracked));
    EXPECT_FALSE(client.session_changed());
  }
  run_all(clients);
}

TEST_F(PreparedPoolerTest, NamedWorksWhereThePoolerKnowsPreparedStatementsAndIsATypedErrorElse) {
  const bool knows = version_of(*pooler_) >= std::pair(1, 21);
  pooler_.reset();
  if (knows) options_.settings.emplace_back("max_prepared_statements", "100");
  pooler_ = std::make_unique<PgBouncer>(shared_sandbox().primary(), options_);
  auto clients = clients_of(*pooler_, {.prepared = Prepared::named});
  if (knows) {
    EXPECT_EQ(run_all(clients).size(), static_cast<std::size_t>(kServerSessions));
    for (auto& client : clients) {
      client.exec("SET work_mem = '5MB'", soon());
      EXPECT_TRUE(client.make_idle(soon(), Reset::tracked));
    }
    run_all(clients);
    return;
  }
  // It is prepared in one session and sent to the other: an error at times, a wrong answer never.
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    auto& client = clients[static_cast<std::size_t>(i % kClients)];
    try {
      EXPECT_EQ(client.exec_cached(kStatement, Params::of(i), soon()).i64(0, 0), i);
      ++answers;
    } catch (const PgError& error) {
      EXPECT_EQ(error.failure(), Failure::statement);
      EXPECT_EQ(error.sqlstate(), sqlstate::kInvalidStatementName);
    }
    EXPECT_TRUE(client.make_idle(soon(), Reset::tracked));
  }
  EXPECT_GT(answers, 0);
}

}  // namespace
}  // namespace pantryd::pg
