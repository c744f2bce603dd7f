// The pages on real sockets: limits that a client meets, what is refused, and both formats in a
// real Prometheus. Each case has its control: a client that behaves is served beside it.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "sandbox/sandbox.h"
#include "serve/http/listeners.h"
#include "serve/http/pages.h"
#include "serve/http/server.h"
#include "tests/support/big_page.h"
#include "tests/support/http_talk.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing_support::ask;
using testing_support::get_request;
using testing_support::HttpTalk;
using testing_support::publish_series;
using testing_support::scratch_dir;
using testing_support::unpacked;
using testing_support::within;

constexpr const char* kOpenMetrics = "Accept: application/openmetrics-text;version=1.0.0\r\n";
constexpr int kLargeSeries = 30'000;  // some 3 MB: more than the kernel takes for a reader

/// Limits that a test need not wait long for.
HttpLimits quick() {
  HttpLimits out;
  out.grace = milliseconds(50);
  out.head_time = milliseconds(600);
  out.idle_time = milliseconds(900);
  out.progress_time = milliseconds(600);
  out.drain_time = milliseconds(300);
  return out;
}

class Site {
 public:
  explicit Site(HttpLimits limits = {}, int series = 10) : port(find_free_port_pair()) {
    publish_series(store, "main", series);
    store.note_reload(true, probes::WallClock::now());
    server = std::make_unique<HttpServer>(std::vector<Listen>{{"127.0.0.1", port}}, store, "1.2.3",
                                          limits);
  }
  [[nodiscard]] bool healthy() const {
    const auto reply = ask(port, get_request("/healthz"));
    return reply && reply->status == 200;
  }
  [[nodiscard]] int status(std::string_view request) const {
    const auto reply = ask(port, request);
    return reply ? reply->status : 0;
  }

  std::uint16_t port;
  probes::SnapshotStore store;
  std::unique_ptr<HttpServer> server;
};

TEST(PageTest, OnlyTheFourPathsAreThere) {
  const Site site;
  for (const auto* path : {"/", "/metrics", "/probe?target=main", "/healthz", "/readyz",
                           "/metrics?types=postgres_exporter", "/probe?target=m%61in"}) {
    EXPECT_EQ(site.status(get_request(path)), 200) << path;
  }
  for (const auto* path : {"/metricsx", "/metrics/x", "/metrics/", "//metrics", "/METRICS",
                           "/./metrics", "/x/../metrics", "/metrics%20", "/m%65trics", "/probe/",
                           "/probe?target=nobody", "/probe?target=", "/favicon.ico"}) {
    EXPECT_EQ(site.status(get_request(path)), 404) << path;
  }
  EXPECT_EQ(site.status(get_request("/probe")), 400);
}

TEST(PageTest, OtherMethodsAre405WithAllow) {
  const Site site;
  for (const std::string method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get"}) {
    const auto reply = ask(site.port, method +
                                          " /metrics HTTP/1.1\r\nHost: h\r\n"
                                          "Content-Length: 3\r\n\r\nabc");
    ASSERT_TRUE(reply.has_value()) << method;
    EXPECT_EQ(reply->status, 405) << method;
    EXPECT_EQ(reply->header("Allow"), "GET, HEAD");
  }
  EXPECT_EQ(site.status("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
  EXPECT_EQ(site.status("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
}

TEST(PageTest, WhatIsAmbiguousIsRefused) {
  const Site site;
  EXPECT_EQ(site.status("GET /metrics HTTP/1.1\r\n\r\n"), 400) << "no Host";
  EXPECT_EQ(site.status("GET /metrics HTTP/1.0\r\n\r\n"), 200) << "the control";
  const std::string both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
  HttpTalk talk(site.port);
  ASSERT_TRUE(talk.send(get_request("/metrics", both) + "0\r\n\r\n" + get_request("/healthz")));
  const auto reply = talk.read();
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->status, 400);
  EXPECT_EQ(reply->header("Connection"), "close");
  EXPECT_FALSE(talk.read(milliseconds(300)).has_value()) << "the smuggled request is not answered";
  EXPECT_EQ(site.status("\x16\x03\x01 TLS\r\n\r\n"), 400);
  EXPECT_EQ(site.status("GET / HTTP/3.0\r\nHost: h\r\n\r\n"), 505);
  EXPECT_TRUE(site.healthy());
}

TEST(PageTest, HeadHasTheHeadersOfGetAndNoBody) {
  const Site site;
  HttpTalk talk(site.port);
  ASSERT_TRUE(talk.send("HEAD /metrics HTTP/1.1\r\nHost: h\r\n\r\n" + get_request("/healthz")));
  const auto head = talk.read(seconds(5), true);
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->status, 200);
  EXPECT_GT(std::stoul(head->header("Content-Length")), 500U);
  EXPECT_EQ(head->header("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(head->header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  const auto next = talk.read();
  ASSERT_TRUE(next.has_value()) << "a body would stand before it";
  EXPECT_EQ(next->body, "ok\n");
}

TEST(PageTest, AConnectionServesAsManyRequestsAsTheLimit) {
  HttpLimits limits;
  limits.requests = 3;
  const Site site(limits);
  HttpTalk talk(site.port);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(talk.send(get_request("/healthz")));
    const auto reply = talk.read();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->header("Connection"), i < 3 ? "keep-alive" : "close");
  }
  EXPECT_TRUE(talk.ends_within(seconds(2)));
}

TEST(PageTest, GzipHoldsTheSamePage) {
  const Site site;
  const auto packed = ask(site.port, get_request("/metrics", "Accept-Encoding: gzip\r\n"));
  ASSERT_TRUE(packed.has_value());
  EXPECT_EQ(packed->header("Content-Encoding"), "gzip");
  EXPECT_EQ(packed->header("Vary"), "Accept, Accept-Encoding");
  EXPECT_THAT(unpacked(packed->body), HasSubstr("pantryd_test_rows{"));
  EXPECT_EQ(unpacked(packed->body.substr(0, packed->body.size() - 9)), "") << "the check can fail";
  const auto plain = ask(site.port, get_request("/metrics", "Accept-Encoding: gzip;q=0\r\n"));
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->header("Content-Encoding"), "");
  EXPECT_THAT(plain->body, HasSubstr("pantryd_test_rows{"));
  EXPECT_LT(packed->body.size(), plain->body.size());
}

TEST(PageTest, APageIsNewAfterItsLife) {
  const Site site;
  const auto has_second = [&] {
    const auto reply = ask(site.port, get_request("/metrics"));
    return reply && reply->body.find("target=\"second\"") != std::string::npos;
  };
  EXPECT_FALSE(has_second());
  auto& store = const_cast<probes::SnapshotStore&>(site.store);
  publish_series(store, "second", 1);
  EXPECT_TRUE(within(seconds(2), has_second));
}

TEST(PageTest, HeadersThatDoNotEndAreEnded) {
  const Site site(quick());
  HttpTalk silent(site.port);
  HttpTalk slow(site.port);
  const auto began = SteadyClock::now();
  ASSERT_TRUE(slow.send("GET /metrics HTTP/1.1\r\nHost: h\r\nX: "));
  std::optional<testing_support::Reply> reply;
  while (!reply && SteadyClock::now() - began < seconds(3)) {
    (void)slow.send("a");  // each byte once began a new patience
    EXPECT_TRUE(site.healthy());
    reply = slow.read(milliseconds(50));
  }
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->status, 408);
  EXPECT_TRUE(silent.ends_within(seconds(2)));
}

TEST(PageTest, HeadersThatAreTooLongAreRefused) {
  const Site site;
  const std::string fits(15'000, 'a');
  EXPECT_EQ(site.status(get_request("/healthz", "X: " + fits + "\r\n")), 200);
  EXPECT_EQ(site.status(get_request("/healthz", "X: " + fits + fits + "\r\n")), 431);
  EXPECT_EQ(site.status("GET /" + fits + fits), 431) << "the line itself does not end";
  std::string many;
  for (int i = 0; i < 101; ++i) many += "X: y\r\n";
  EXPECT_EQ(site.status(get_request("/healthz", many)), 431);
}

TEST(PageTest, AnIdleConnectionEndsAndAReaderThatStopsAsWell) {
  const Site site(quick(), kLargeSeries);
  HttpTalk idle(site.port);
  ASSERT_TRUE(idle.send(get_request("/healthz")));
  ASSERT_TRUE(idle.read().has_value());
  HttpTalk stopped(site.port, "127.0.0.1", 4096);
  HttpTalk slow(site.port, "127.0.0.1", 16'384);
  ASSERT_TRUE(stopped.send(get_request("/metrics")));
  ASSERT_TRUE(slow.send(get_request("/metrics")));
  // Slow is not stopped: 64 KiB in each 600 ms are progress, for longer than the patience.
  std::size_t got = 0;
  const auto began = SteadyClock::now();
  while (SteadyClock::now() - began < milliseconds(1'800)) {
    got += slow.read_some(16'384, milliseconds(100)).size();
    std::this_thread::sleep_for(milliseconds(25));
  }
  EXPECT_TRUE(stopped.ends_within(milliseconds(100)));
  EXPECT_TRUE(idle.ends_within(milliseconds(100)));
  const auto rest = slow.read_some(16'384, milliseconds(100));
  EXPECT_NE(rest, "") << "ended after " << got << " bytes";
}

TEST(PageTest, WhenAllPlacesAreTakenTheSlowestMakesRoom) {
  auto limits = HttpLimits{};
  limits.connections = 4;
  limits.grace = milliseconds(100);
  const Site site(limits);
  std::vector<std::unique_ptr<HttpTalk>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(std::make_unique<HttpTalk>(site.port));
    ASSERT_TRUE(slow.back()->send("GET /"));
    std::this_thread::sleep_for(milliseconds(30));
  }
  EXPECT_TRUE(site.healthy()) << "a fifth";
  EXPECT_TRUE(slow[0]->ends_within(milliseconds(500))) << "it was slow for longest";
  EXPECT_FALSE(slow[3]->ends_within(milliseconds(50)));
}

// Each reader of an old page keeps it in memory.
TEST(PageTest, ReadersOfOldPagesLoseThemWhenPagesAreTooManyBytes) {
  HttpLimits limits;
  limits.pages_bytes = 1;  // then four of the largest are the limit
  limits.grace = milliseconds(50);
  const Site site(limits, kLargeSeries);
  std::vector<std::unique_ptr<HttpTalk>> readers;
  for (int i = 0; i < 7; ++i) {
    readers.push_back(std::make_unique<HttpTalk>(site.port, "127.0.0.1", 4096));
    ASSERT_TRUE(readers.back()->send(get_request("/metrics")));
    std::this_thread::sleep_for(kPageLifeLeast + milliseconds(100));
  }
  EXPECT_TRUE(readers.front()->ends_within(milliseconds(500)));
  EXPECT_FALSE(readers.back()->ends_within(milliseconds(100)));
}

TEST(PageTest, AnAddressThatCannotBeBoundNamesTheReason) {
  const Site site;
  const auto refusal = [&](const Listen& listen) {
    try {
      const Listeners opened({listen});
    } catch (const Error& error) {
      return error.render();
    }
    return std::string("opened");
  };
  EXPECT_THAT(refusal({"127.0.0.1", site.port}),
              testing::AllOf(HasSubstr("Address already in use"), HasSubstr("Another process")));
  EXPECT_THAT(
      refusal({"192.0.2.1", site.port}),
      testing::AllOf(HasSubstr("Cannot assign requested address"), HasSubstr("No interface")));
  EXPECT_THAT(refusal({"no-such-name.invalid", site.port}), HasSubstr("cannot listen on no-such"));
  EXPECT_EQ(refusal({"127.0.0.1", find_free_port_pair()}), "opened");
  EXPECT_THAT(listen_hint(EACCES, {"127.0.0.1", 80}), HasSubstr("Ports below 1024"));
  EXPECT_THAT(listen_hint(EACCES, {"127.0.0.1", 8080}), HasSubstr("security policy"));
}

TEST(PageTest, Ipv6AndSeveralAddressesAreServed) {
  probes::SnapshotStore store;
  const auto port = find_free_port_pair();
  const auto reached = [&](const std::string& address) {
    HttpTalk talk(port, address);
    if (!talk.connected() || !talk.send(get_request("/healthz"))) return false;
    return talk.read().has_value();
  };
  {
    const HttpServer six({{"::1", port}}, store, "1");
    EXPECT_TRUE(reached("::1"));
    EXPECT_FALSE(reached("127.0.0.1"));
  }
  {
    const HttpServer both({{"0.0.0.0", port}, {"::", port}}, store, "1");
    EXPECT_TRUE(reached("::1"));
    EXPECT_TRUE(reached("127.0.0.1"));
  }
  const HttpServer name({{"localhost", port}}, store, "1");
  EXPECT_TRUE(reached("127.0.0.1"));
  const auto known = run_child({{"getent", "ahostsv6", "localhost"}}, Deadline::in(seconds(5)));
  EXPECT_EQ(reached("::1"), known.output.starts_with("::1 ")) << known.output;
}

/// A server that answers each request with the same bytes.
class Canned {
 public:
  explicit Canned(std::string body) : body_(std::move(body)), listeners_({{"127.0.0.1", port}}) {
    thread_ = std::thread([this] { run(); });
  }
  ~Canned() {
    stop_.request();
    thread_.join();
  }
  Canned(const Canned&) = delete;
  Canned& operator=(const Canned&) = delete;

  const std::uint16_t port = find_free_port_pair();

 private:
  void run() {
    const auto answer = fmt::format(
        "HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0\r\n"
        "Content-Length: {}\r\nConnection: close\r\n\r\n{}",
        body_.size(), body_);
    while (!stop_.wait(Deadline::in(milliseconds(20)))) {
      const int fd = ::accept4(listeners_.descriptors().front(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      char request[4096];
      (void)::recv(fd, request, sizeof request, 0);
      (void)::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
      ::close(fd);
    }
  }
  const std::string body_;
  Listeners listeners_;
  StopFlag stop_;
  std::thread thread_;
};

class Prometheus {
 public:
  explicit Prometheus(const std::vector<std::uint16_t>& targets)
      : url_(fmt::format("http://127.0.0.1:{}", port_)) {
    const auto config = scratch_dir() / "page_prometheus.yaml";
    std::string text = "global: {scrape_interval: 1s}\nscrape_configs:\n";
    for (std::size_t i = 0; i < targets.size(); ++i) {
      text +=
          fmt::format("  - job_name: j{}\n    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n", i,
                      targets[i]);
    }
    write_file_atomically(config, text);
    ChildSpec spec;
    spec.argv = {"prometheus", "--config.file=" + config.string(), "--log.level=warn",
                 "--storage.tsdb.path=" + (scratch_dir() / "page_prometheus").string(),
                 fmt::format("--web.listen-address=127.0.0.1:{}", port_)};
    spec.output = scratch_dir() / "page_prometheus.log";
    spec.parent_death_signal = SIGKILL;
    child_ = std::make_unique<Child>(spec);
  }
  [[nodiscard]] nlohmann::json get(const std::string& path) const {
    const auto result =
        run_child({{"curl", "-sg", "-m", "5", url_ + path}}, Deadline::in(seconds(9)));
    return nlohmann::json::parse(result.output, nullptr, false);
  }
  /// "1", "0", or "" before the first scrape.
  [[nodiscard]] std::string up(const std::string& job) const {
    const auto json = get("/api/v1/query?query=up{job=\"" + job + "\"}");
    if (!json.is_object() || json["data"]["result"].empty()) return "";
    return json["data"]["result"][0]["value"][1];
  }

 private:
  std::uint16_t port_ = find_free_port_pair();
  std::string url_;
  std::unique_ptr<Child> child_;
};

TEST(PageTest, PrometheusReadsOpenMetricsAndFindsTheNamesOfTheText) {
  const Site site;
  const auto good = ask(site.port, get_request("/metrics", kOpenMetrics));
  ASSERT_TRUE(good.has_value());
  ASSERT_EQ(good->header("Content-Type"),
            "application/openmetrics-text; version=1.0.0; charset=utf-8");
  const Canned cut(good->body.substr(0, good->body.size() - 6));  // without # EOF
  const Canned whole(good->body);
  const Prometheus prometheus({site.port, cut.port, whole.port});
  ASSERT_TRUE(within(seconds(20), [&] { return prometheus.up("j0") == "1"; }));
  EXPECT_TRUE(within(seconds(5), [&] { return prometheus.up("j2") == "1"; }));
  EXPECT_TRUE(within(seconds(5), [&] { return prometheus.up("j1") == "0"; })) << "damaged";
  const auto plain = ask(site.port, get_request("/metrics"));
  ASSERT_TRUE(plain.has_value());
  std::set<std::string> wanted;
  for (std::size_t at = 0; at < plain->body.size();) {
    const auto line = plain->body.substr(at, plain->body.find('\n', at) - at);
    at += line.size() + 1;
    if (line[0] != '#') wanted.insert(line.substr(0, line.find_first_of("{ ")));
  }
  std::set<std::string> found;
  const auto series = prometheus.get("/api/v1/series?match[]={job=\"j0\"}");
  for (const auto& each : series["data"]) {
    const std::string name = each["__name__"];
    if (name != "up" && !name.starts_with("scrape_")) found.insert(name);
    if (name == "pantryd_test_calls_total") {
      EXPECT_EQ(each["query"], "a\\b \"c\"\nd {e=\"f\"} # é");
    }
  }
  EXPECT_EQ(found, wanted);
  const auto types = prometheus.get("/api/v1/metadata")["data"];
  EXPECT_EQ(types["pantryd_test_calls"][0]["type"], "counter") << "it was read as OpenMetrics";
  EXPECT_EQ(types["pg_stat_test_commits"][0]["type"], "unknown");
}

}  // namespace
}  // namespace pantryd
