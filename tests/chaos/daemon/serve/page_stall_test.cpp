// Clients that want to stall the page: 200 send their headers slowly and 200 read slowly, and all
// come back as soon as they lose their connection. Each scrape is answered nevertheless.
//
// Once, 40 sockets that sent nothing held all eight threads of the server for five seconds each.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cstdlib>

#include "sandbox/sandbox.h"
#include "serve/http/server.h"
#include "tests/support/big_page.h"
#include "tests/support/http_talk.h"
#include "tests/support/slow_clients.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing_support::ask;
using testing_support::get_request;
using testing_support::publish_series;
using testing_support::SlowClients;
using testing_support::within;

constexpr int kSeries = 67'000;  // a page of 5 MB
constexpr auto kScrapePause = milliseconds(200);
constexpr auto kAnswerWithin = seconds(5);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kPeakMb = 1'000;  // most of it is the sanitizer's
#else
constexpr double kPeakMb = 250;
#endif

bool is_long() {
  const auto* asked = std::getenv("PANTRYD_LONG_TESTS");
  return asked != nullptr && *asked == '1';
}

/// A minute in the long form; two of these are about eight seconds in the short one.
seconds attack_time() {
  return is_long() ? seconds(60) : seconds(4);
}

/// The most memory that this process, which is the server as well, ever held.
double peak_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

class Attacked {
 public:
  Attacked(HttpLimits limits, SlowClients::Plan plan) : port(find_free_port_pair()) {
    publish_series(store, "main", kSeries);
    server =
        std::make_unique<HttpServer>(std::vector<Listen>{{"127.0.0.1", port}}, store, "1", limits);
    clients = std::make_unique<SlowClients>(port, plan);
    const auto all = plan.headers + plan.readers;
    EXPECT_TRUE(within(seconds(10), [&] { return clients->opened() >= all; }));
    std::this_thread::sleep_for(milliseconds(500));
  }
  /// The slowest scrape; what is missing or cut counts as an hour.
  [[nodiscard]] std::chrono::duration<double> slowest_scrape(seconds time) const {
    std::chrono::duration<double> out{0};
    int scrapes = 0;
    for (const auto end = Deadline::in(time); !end.expired(); ++scrapes) {
      const auto began = SteadyClock::now();
      const auto packing = scrapes % 2 == 0 ? "Accept-Encoding: gzip\r\n" : "";
      const auto reply = ask(port, get_request("/metrics", packing));
      std::chrono::duration<double> took = SteadyClock::now() - began;
      if (!reply || reply->status != 200) took = std::chrono::hours(1);
      out = std::max(out, took);
      std::this_thread::sleep_for(kScrapePause);
    }
    EXPECT_TRUE(scrapes > 5 || out > kAnswerWithin);
    return out;
  }

  std::uint16_t port;
  probes::SnapshotStore store;
  std::unique_ptr<HttpServer> server;
  std::unique_ptr<SlowClients> clients;
};

class PageStallTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
};

TEST_F(PageStallTest, EveryScrapeIsAnsweredUnderSlowHeadersAndSlowReaders) {
  const Attacked site({}, {});
  EXPECT_LT(site.slowest_scrape(attack_time()), kAnswerWithin);
  EXPECT_GT(site.clients->lost(), 100) << "the attack did not meet the limit of connections";
}

TEST_F(PageStallTest, EveryScrapeIsAnsweredBesideSilentOnesAndMemoryIsBounded) {
  const Attacked site({}, {.headers = 300,
                           .readers = 300,
                           .pause = milliseconds(100),
                           .reopen = milliseconds(1'000),
                           .idle_headers = true});
  EXPECT_LT(site.slowest_scrape(attack_time()), kAnswerWithin);
  // A copy of the page for each reader took 1,300.
  EXPECT_LT(peak_mb(), kPeakMb);
}

// The control: without room to make, the same attack stalls a scrape.
TEST_F(PageStallTest, WithoutMakingRoomTheAttackWorks) {
  HttpLimits patient;
  patient.connections = 40;
  patient.grace = std::chrono::hours(1);
  const Attacked site(patient, {.reopen = std::chrono::hours(1)});
  EXPECT_GT(site.slowest_scrape(seconds(2)), kAnswerWithin);
}

}  // namespace
}  // namespace pantryd
