// Connections to a real server: parameters, errors, timeouts, stops and hosts that do not answer.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "pg/connection.h"
#include "pg/sqlstate.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::pg {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing_support::shared_sandbox;

Connection connect() {
  // The sandbox first: making it takes longer than a connection may.
  const auto primary = shared_sandbox().primary();
  return Connection::connect(primary, Deadline::in(seconds(10)));
}

Deadline soon() {
  return Deadline::in(seconds(10));
}

/// A socket that listens and never answers: connections stay in its backlog.
class SilentPort {
 public:
  SilentPort() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(fd_, 16);
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~SilentPort() { ::close(fd_); }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  int fd_;
  int port_ = 0;
};

template <typename Work>
PgError failure_of(Work work) {
  try {
    work();
  } catch (const PgError& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return {Failure::statement, "", "nothing was thrown"};
}

TEST(ConnectionTest, ParametersAreValuesWhateverTheyHold) {
  auto connection = connect();
  const std::string hostile = "'; DROP TABLE users; -- \\ \" $1";
  const auto result = connection.exec("SELECT $1::text, $2::bigint, $3::text",
                                      Params::of(hostile, std::int64_t{-5}, std::nullopt), soon());
  EXPECT_EQ(result.text(0, 0), hostile);
  EXPECT_EQ(result.i64(0, 1), -5);
  EXPECT_TRUE(result.is_null(0, 2));
}

TEST(ConnectionTest, AnErrorCarriesItsSqlstateAndLeavesTheConnectionUsable) {
  auto connection = connect();
  const auto error = failure_of([&] { connection.exec("SELECT 1/0", soon()); });
  EXPECT_EQ(error.failure(), Failure::statement);
  EXPECT_EQ(error.sqlstate(), "22012");
  EXPECT_TRUE(connection.idle());
  EXPECT_EQ(connection.exec("SELECT 7", soon()).i64(0, 0), 7);
}

TEST(ConnectionTest, AStatementThatTakesTooLongIsCancelledAndTheConnectionGoesOn) {
  auto connection = connect();
  const auto began = SteadyClock::now();
  const auto error =
      failure_of([&] { connection.exec("SELECT pg_sleep(60)", Deadline::in(milliseconds(300))); });
  EXPECT_EQ(error.failure(), Failure::timeout);
  EXPECT_LT(SteadyClock::now() - began, seconds(5));
  EXPECT_EQ(connection.exec("SELECT 7", soon()).i64(0, 0), 7);
}

TEST(ConnectionTest, AStopRequestEndsAWait) {
  StopFlag stop;
  auto connection = Connection::connect(shared_sandbox().primary(), soon(), {.stop = &stop});
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(200));
    stop.request();
  });
  const auto error =
      failure_of([&] { connection.exec("SELECT pg_sleep(60)", Deadline::in(seconds(60))); });
  later.join();
  EXPECT_EQ(error.failure(), Failure::stopped);
}

TEST(ConnectionTest, ATerminatedBackendIsALostConnection) {
  auto victim = connect();
  auto other = connect();
  other.exec("SELECT pg_terminate_backend($1)", Params::of(victim.backend_pid()), soon());
  const auto error = failure_of([&] {
    victim.exec("SELECT 1", soon());
    victim.exec("SELECT 1", soon());
  });
  EXPECT_EQ(error.failure(), Failure::lost);
  EXPECT_TRUE(victim.broken());
}

TEST(ConnectionTest, CopyTakesRowsAndTellsHowMany) {
  auto connection = connect();
  connection.exec("CREATE TEMP TABLE t (a int, b text)", soon());
  connection.copy_begin("COPY t FROM STDIN", soon());
  for (int i = 0; i < 10'000; ++i) {
    const std::string row = std::to_string(i) + "\trow\n";
    connection.copy_put(row, soon());
  }
  EXPECT_EQ(connection.copy_end(soon()), 10'000);
  EXPECT_EQ(connection.exec("SELECT sum(a) FROM t", soon()).i64(0, 0), 49'995'000);
}

TEST(ConnectionTest, AnAbortedCopyLeavesNoRowsAndAUsableConnection) {
  auto connection = connect();
  connection.exec("CREATE TEMP TABLE t (a int)", soon());
  connection.copy_begin("COPY t FROM STDIN", soon());
  connection.copy_put(std::string("1\n"), soon());
  connection.copy_abort("changed my mind", soon());
  EXPECT_EQ(connection.exec("SELECT count(*) FROM t", soon()).i64(0, 0), 0);
}

TEST(ConnectionTest, ABadCopyRowIsAnErrorOfTheStatement) {
  auto connection = connect();
  connection.exec("CREATE TEMP TABLE t (a int)", soon());
  connection.copy_begin("COPY t FROM STDIN", soon());
  connection.copy_put(std::string("elephant\n"), soon());
  EXPECT_EQ(failure_of([&] { connection.copy_end(soon()); }).sqlstate(), "22P02");
  EXPECT_TRUE(connection.idle());
}

TEST(ConnectionTest, MakeIdleRollsBackWhatWasLeftOpen) {
  auto connection = connect();
  connection.exec("BEGIN", soon());
  EXPECT_FALSE(connection.idle());
  EXPECT_TRUE(connection.make_idle(soon()));
  EXPECT_TRUE(connection.idle());
}

TEST(ConnectTest, ARefusedPortSaysSoAtOnce) {
  const auto where = shared_sandbox().primary().with("port", "1");
  const auto error = failure_of([&] { (void)Connection::connect(where, soon()); });
  EXPECT_EQ(error.failure(), Failure::unreachable);
  EXPECT_EQ(error.code(), ExitCode::unreachable);
  EXPECT_THAT(error.what(), HasSubstr("port=1"));
}

TEST(ConnectTest, AServerThatNeverAnswersEndsAtTheDeadline) {
  const SilentPort silent;
  const auto where = shared_sandbox().primary().with("port", std::to_string(silent.port()));
  const auto began = SteadyClock::now();
  const auto error =
      failure_of([&] { (void)Connection::connect(where, Deadline::in(milliseconds(400))); });
  EXPECT_EQ(error.failure(), Failure::unreachable);
  EXPECT_THAT(error.what(), HasSubstr("no answer within"));
  EXPECT_LT(SteadyClock::now() - began, seconds(5));
}

TEST(ConnectTest, ABlackHoleFirstDoesNotEatTheTurnOfTheSecondHost) {
  const SilentPort silent;
  const auto good = shared_sandbox().primary();
  const auto where = good.with("host", "127.0.0.1,127.0.0.1")
                         .with("port", std::to_string(silent.port()) + "," + good.get("port"));
  auto connection = Connection::connect(where, Deadline::in(seconds(2)));
  EXPECT_EQ(connection.exec("SELECT 1", soon()).i64(0, 0), 1);
}

TEST(ConnectTest, TheWriteableHostIsFoundAmongTwo) {
  const auto good = shared_sandbox().primary();
  const auto where =
      good.with("host", "127.0.0.1,127.0.0.1")
          .with("port", shared_sandbox().standby().get("port") + "," + good.get("port"))
          .with("target_session_attrs", "read-write");
  auto connection = Connection::connect(where, soon());
  EXPECT_FALSE(connection.exec("SELECT pg_is_in_recovery()", soon()).boolean(0, 0));
}

TEST(ConnectTest, AWrongPasswordIsRefusedAndNotShown) {
  const auto where =
      shared_sandbox().primary().with("passfile", "/nonexistent").with("password", "hunter2");
  const auto error = failure_of([&] { (void)Connection::connect(where, soon()); });
  EXPECT_EQ(error.failure(), Failure::refused);
  EXPECT_EQ(error.sqlstate(), sqlstate::kInvalidPassword);
  EXPECT_THAT(error.render(), testing::Not(HasSubstr("hunter2")));
}

TEST(ConnectTest, AMissingDatabaseIsNamed) {
  const auto error = failure_of([&] {
    (void)Connection::connect(shared_sandbox().primary().with("dbname", "nosuch"), soon());
  });
  EXPECT_EQ(error.sqlstate(), sqlstate::kInvalidCatalogName);
  EXPECT_THAT(error.what(), HasSubstr("nosuch"));
}

TEST(ConnectTest, AnUnknownHostNameIsUnreachable) {
  const auto where = shared_sandbox().primary().with("host", "no-such-host.invalid");
  const auto error =
      failure_of([&] { (void)Connection::connect(where, Deadline::in(seconds(3))); });
  EXPECT_EQ(error.failure(), Failure::unreachable);
  EXPECT_THAT(error.what(), HasSubstr("no-such-host.invalid"));
}

}  // namespace
}  // namespace pantryd::pg
