// Whether slow clients can stall the page: bench_page [SECONDS [RIVAL_SECONDS]]. 200 clients that
// send headers slowly and 200 that read slowly, reopened all the time, against our server for
// SECONDS (60) and against the libraries that we do not use for RIVAL_SECONDS each (15).
#include <sys/resource.h>

#include <charconv>
#include <fstream>
#include <functional>

#include "sandbox/sandbox.h"
#include "serve/http/pages.h"
#include "serve/http/server.h"
#include "tests/bench/figures.h"
#include "tests/bench/page_rivals.h"
#include "tests/support/big_page.h"
#include "tests/support/http_talk.h"
#include "tests/support/slow_clients.h"

namespace pantryd::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing_support::ask;
using testing_support::get_request;
using testing_support::SlowClients;

constexpr int kSeries = 67'000;
constexpr int kRounds = 5;
constexpr double kGoal_ms = 1'000;

double cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

/// Five scrapes a second beside the attack.
void attack(const std::string& name, std::uint16_t port, seconds time, bool ours) {
  const SlowClients clients(port, {});
  std::this_thread::sleep_for(seconds(1));
  Durations took;
  int scrapes = 0;
  int missing = 0;
  const auto cpu_before = cpu_s();
  for (const auto end = Deadline::in(time); !end.expired(); ++scrapes) {
    const auto began = SteadyClock::now();
    const auto reply = ask(port, get_request("/metrics"));
    const bool whole = reply && reply->status == 200 && reply->body.size() > 1'000'000;
    if (whole) {
      took.add(SteadyClock::now() - began);
    } else {
      ++missing;
    }
    std::this_thread::sleep_for(milliseconds(200));
  }
  const bool ok = missing == 0 && took.longest_ms() < kGoal_ms;
  figure("page_" + name + "_scrapes", std::to_string(scrapes), "count");
  figure("page_" + name + "_unanswered", std::to_string(missing), "count", ours ? "0" : "-",
         !ours || missing == 0);
  figure("page_" + name + "_median", fmt::format("{:.1f}", took.quantile_ms(0.5)), "ms");
  figure("page_" + name + "_longest", fmt::format("{:.1f}", took.longest_ms()), "ms",
         ours ? "1000" : "-", !ours || ok);
  figure("page_" + name + "_attackers", std::to_string(clients.opened()), "connections");
  figure("page_" + name + "_cpu",
         fmt::format("{:.1f}", 100 * (cpu_s() - cpu_before) / static_cast<double>(time.count())),
         "percent_with_attackers");
}

template <typename Work>
double median_ms(const Work& work) {
  Rounds rounds;
  for (int i = 0; i < kRounds; ++i) {
    const auto began = SteadyClock::now();
    work();
    rounds.values.push_back(
        std::chrono::duration<double, std::milli>(SteadyClock::now() - began).count());
  }
  return rounds.median();
}

/// What a page costs in each of its forms. Returns the plain one.
std::string forms(const probes::SnapshotStore& store) {
  probes::PageInputs inputs;
  inputs.targets = store.all();
  inputs.version = "1";
  inputs.now = probes::WallClock::now();
  std::string text;
  std::string open;
  std::string packed;
  const auto text_ms = median_ms([&] { text = probes::render_page(inputs); });
  inputs.format = probes::PageFormat::openmetrics;
  const auto open_ms = median_ms([&] { open = probes::render_page(inputs); });
  const auto gzip_ms = median_ms([&] { packed = gzipped(text); });
  figure("page_text", fmt::format("{:.1f}", text_ms), "ms");
  figure("page_openmetrics", fmt::format("{:.1f}", open_ms), "ms");
  figure("page_gzip", fmt::format("{:.1f}", gzip_ms), "ms_more");
  figure("page_text_size", std::to_string(text.size()), "bytes");
  figure("page_gzip_size", std::to_string(packed.size()), "bytes");
  return text;
}

void rivals(const std::string& page, seconds time) {
  const auto run = [&](const std::string& name,
                       const std::function<std::unique_ptr<Rival>(std::uint16_t)>& make) {
    const auto port = find_free_port_pair();
    const auto rival = make(port);
    attack(name, port, time, false);
  };
#ifdef PANTRYD_BENCH_CIVETWEB
  run("civetweb_8_threads_5s",
      [&](std::uint16_t port) { return std::make_unique<Civet>(port, page, 8, 5'000); });
  run("civetweb_64_threads_1s",
      [&](std::uint16_t port) { return std::make_unique<Civet>(port, page, 64, 1'000); });
#endif
  run("evhttp_5s", [&](std::uint16_t port) { return std::make_unique<EvHttp>(port, page, 5); });
#ifdef PANTRYD_BENCH_MICROHTTPD
  run("microhttpd_256_5s",
      [&](std::uint16_t port) { return std::make_unique<MicroHttpd>(port, page, 256, 5); });
  run("microhttpd_1000_1s",
      [&](std::uint16_t port) { return std::make_unique<MicroHttpd>(port, page, 1'000, 1); });
#else
  remark("libmicrohttpd-dev is not installed: its rows are missing");
#endif
}

int argument(int count, char** values, int index, int otherwise) {
  if (index >= count) return otherwise;
  const std::string_view text = values[index];
  int out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

int run(int count, char** values) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const seconds ours(argument(count, values, 1, 60));
  const seconds theirs(argument(count, values, 2, 15));
  probes::SnapshotStore store;
  testing_support::publish_series(store, "main", kSeries);
  const auto page = forms(store);
  {
    const auto port = find_free_port_pair();
    const HttpServer server({{"127.0.0.1", port}}, store, "1");
    attack("pantryd", port, ours, true);
  }
  rivals(page, theirs);
  return 0;
}

}  // namespace
}  // namespace pantryd::bench

int main(int count, char** values) {
  return pantryd::bench::run(count, values);
}
