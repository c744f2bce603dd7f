// The gate between client and server that the chaos tests use: each fault does what it says.
#include "tests/support/tcp_gate.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/wait.h"
#include "tests/support/within.h"

namespace pantryd::testing_support {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 20s;
constexpr auto kSilence = 200ms;  ///< nothing came for so long: nothing comes

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// One side of a TCP connection.
class Side {
 public:
  explicit Side(int fd) : fd_(fd) {}
  Side(Side&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Side& operator=(Side&&) = delete;
  ~Side() {
    if (fd_ >= 0) ::close(fd_);
  }
  void say(const std::string& text) const {
    EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  [[nodiscard]] bool stirs(std::chrono::milliseconds limit) const {
    return wait_ready(fd_, POLLIN, Deadline::in(limit), nullptr) == Ready::yes;
  }
  /// So many bytes, or fewer when the other side ended or was silent for long; "RST" for a reset.
  [[nodiscard]] std::string hear(std::size_t size) const {
    std::string out;
    while (out.size() < size && stirs(kPatience)) {
      char buffer[256];
      const auto got = ::recv(fd_, buffer, std::min(sizeof buffer, size - out.size()), 0);
      if (got < 0) return errno == ECONNRESET ? "RST" : "error";
      if (got == 0) return out + "END";
      out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

class GateTest : public testing::Test {
 protected:
  GateTest() : server_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    auto address = loopback(0);
    socklen_t size = sizeof address;
    ::bind(server_.fd(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(server_.fd(), 64);
    ::getsockname(server_.fd(), reinterpret_cast<sockaddr*>(&address), &size);
    gate_ = std::make_unique<TcpGate>(ntohs(address.sin_port),
                                      GateLimits{.connections_max = 4, .trickle_bytes = 2});
  }

  /// Begins a connection through the gate; `code` is connect()'s errno so far.
  Side knock(int& code) {
    Side client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto address = loopback(gate_->port());
    code = ::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
               ? 0
               : errno;
    return client;
  }
  Side client() {
    int code = 0;
    auto out = knock(code);
    EXPECT_TRUE(code == 0 || code == EINPROGRESS) << code;
    EXPECT_EQ(wait_ready(out.fd(), POLLOUT, Deadline::in(kPatience), nullptr), Ready::yes);
    return out;
  }
  Side accepted() {
    EXPECT_TRUE(server_.stirs(kPatience));
    return Side(::accept4(server_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  Side server_;
  std::unique_ptr<TcpGate> gate_;
};

TEST_F(GateTest, PassesBytesBothWaysAndTheEndOfEach) {
  auto near = client();
  auto far = accepted();
  near.say("question");
  EXPECT_EQ(far.hear(8), "question");
  far.say("answer");
  EXPECT_EQ(near.hear(6), "answer");
  ::shutdown(near.fd(), SHUT_WR);
  EXPECT_EQ(far.hear(1), "END");
  far.say("last");
  EXPECT_EQ(near.hear(4), "last");
  ::shutdown(far.fd(), SHUT_WR);
  EXPECT_EQ(near.hear(1), "END");
  EXPECT_TRUE(within(kPatience, [&] { return gate_->counts().open == 0; }));
  EXPECT_EQ(gate_->counts().accepted_total, 1);
  EXPECT_EQ(gate_->counts().bytes_up, 8);
  EXPECT_EQ(gate_->counts().bytes_down, 10);
}

TEST_F(GateTest, AStallKeepsConnectionsAndMovesNothingUntilItIsOver) {
  auto near = client();
  auto far = accepted();
  gate_->set(GateFault::stall);
  near.say("late");
  far.say("later");
  auto fresh = client();
  fresh.say("new");
  EXPECT_FALSE(far.stirs(kSilence));
  EXPECT_FALSE(near.stirs(0ms));
  EXPECT_FALSE(server_.stirs(0ms)) << "the server heard of the new one";
  gate_->clear();
  EXPECT_EQ(far.hear(4), "late");
  EXPECT_EQ(near.hear(5), "later");
  EXPECT_EQ(accepted().hear(3), "new");
}

TEST_F(GateTest, AFaultMayReachOnlyThoseThatStandOrOnlyTheNewOnes) {
  auto near = client();
  auto far = accepted();
  gate_->set(GateFault::stall, GateReach::fresh);
  auto fresh = client();
  near.say("moves");
  EXPECT_EQ(far.hear(5), "moves");
  EXPECT_FALSE(server_.stirs(kSilence));
  gate_->clear();
  auto fresh_far = accepted();
  gate_->set(GateFault::stall, GateReach::existing);
  auto third = client();
  auto third_far = accepted();
  third.say("moves");
  near.say("stays");
  EXPECT_EQ(third_far.hear(5), "moves");
  EXPECT_FALSE(far.stirs(kSilence));
}

TEST_F(GateTest, ACutResetsBothSidesOfAllOnce) {
  auto near = client();
  auto far = accepted();
  gate_->cut();
  EXPECT_EQ(near.hear(1), "RST");
  EXPECT_EQ(far.hear(1), "RST");
  EXPECT_EQ(gate_->counts().cut_total, 1);
  EXPECT_EQ(gate_->counts().open, 0);
  auto again = client();
  again.say("on");
  EXPECT_EQ(accepted().hear(2), "on");
}

TEST_F(GateTest, AClosedGateRefusesAndOpensAgainOnItsPort) {
  auto near = client();
  auto far = accepted();
  const auto port = gate_->port();
  gate_->set(GateFault::refuse);
  int code = 0;
  auto refused = knock(code);
  if (code == EINPROGRESS) {
    EXPECT_TRUE(refused.stirs(kPatience));
    socklen_t size = sizeof code;
    ::getsockopt(refused.fd(), SOL_SOCKET, SO_ERROR, &code, &size);
  }
  EXPECT_EQ(code, ECONNREFUSED);
  near.say("goes on");
  EXPECT_EQ(far.hear(7), "goes on");
  gate_->clear();
  EXPECT_EQ(gate_->port(), port);
  auto again = client();
  again.say("on");
  EXPECT_EQ(accepted().hear(2), "on");
}

/// A listener that its thread still polls would be one still, and keep the port.
TEST_F(GateTest, AFaultIsInPlaceWhenTheCallReturnsHoweverFastTheyFollow) {
  for (int i = 0; i < 200; ++i) {
    gate_->set(i % 2 == 0 ? GateFault::refuse : GateFault::black_hole);
    gate_->clear();
  }
  auto near = client();
  near.say("on");
  EXPECT_EQ(accepted().hear(2), "on");
}

TEST_F(GateTest, ATrickleMovesAFewBytesATick) {
  auto near = client();
  auto far = accepted();
  gate_->set(GateFault::trickle);
  const auto began = SteadyClock::now();
  near.say("0123456789012345678901234567890123456789");
  EXPECT_EQ(far.hear(40), "0123456789012345678901234567890123456789");
  EXPECT_GE(SteadyClock::now() - began, 18 * kGateTick) << "40 bytes, 2 a tick, the first at once";
}

TEST_F(GateTest, ABlackHoleAnswersNoSynAndLetsThroughWhoStillTriesAtItsEnd) {
  auto near = client();
  auto far = accepted();
  gate_->set(GateFault::black_hole);
  int code = 0;
  auto fresh = knock(code);
  EXPECT_EQ(code, EINPROGRESS);
  near.say("late");
  EXPECT_EQ(wait_ready(fresh.fd(), POLLOUT, Deadline::in(kSilence), nullptr), Ready::deadline);
  EXPECT_FALSE(far.stirs(0ms));
  EXPECT_EQ(gate_->counts().open, 1);
  gate_->clear();
  EXPECT_EQ(far.hear(4), "late");
  ASSERT_EQ(wait_ready(fresh.fd(), POLLOUT, Deadline::in(kPatience), nullptr), Ready::yes);
  fresh.say("on");
  EXPECT_EQ(accepted().hear(2), "on");
  EXPECT_EQ(gate_->counts().accepted_total, 2) << "its own fillers are no connections";
}

TEST_F(GateTest, OneBeyondTheLimitIsResetAtOnce) {
  std::vector<Side> sides;
  for (int i = 0; i < 4; ++i) sides.push_back(client());
  EXPECT_EQ(client().hear(1), "RST");
  EXPECT_EQ(gate_->counts().over_limit_total, 1);
  EXPECT_EQ(gate_->counts().open, 4);
}

TEST_F(GateTest, WithoutAServerAClientIsResetAndItsEndResetsAll) {
  auto near = client();
  auto far = accepted();
  { const Side gone = std::move(server_); }
  EXPECT_EQ(client().hear(1), "RST");
  gate_.reset();
  EXPECT_EQ(near.hear(1), "RST");
  EXPECT_EQ(far.hear(1), "RST");
}

}  // namespace
}  // namespace pantryd::testing_support
