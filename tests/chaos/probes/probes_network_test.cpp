// Networks between the daemon and a server that stop moving, and a resolver that says nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/tcp_gate.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

constexpr auto kBack = seconds(30);

/// What of the healthy target is never missing.
std::vector<std::string> healthy_series() {
  return {"pg_up{target=\"healthy\"} 1", "pg_postmaster_start_time_seconds{target=\"healthy\"}",
          "pg_settings_max_connections{target=\"healthy\"}"};
}

/// One target behind a gate, one without.
class NetworkTest : public testing::TestWithParam<GateFault> {
 protected:
  NetworkTest()
      : gate(shared_sandbox().port()),
        daemon(places::binary, {target_line("gated", watcher_at(gate.port())),
                                target_line("healthy", watcher_at(shared_sandbox().port()))}) {}
  TcpGate gate;
  Daemon daemon;
};

TEST_P(NetworkTest, AServerThatNobodyReachesIsToldDownAndIsBackByItself) {
  ASSERT_EQ(value_of(daemon.page(), "pg_up{target=\"gated\"}"), 1);
  PageWatch watch(daemon, healthy_series(), {gate.port(), shared_sandbox().port()}, std::nullopt);
  gate.set(GetParam());
  EXPECT_TRUE(within(seconds(40), [&] {
    return value_of(daemon.page(), "pg_up{target=\"gated\"}") == 0;
  })) << daemon.log();
  const auto before = daemon.page();
  std::this_thread::sleep_for(seconds(8));
  const auto after = daemon.page();
  for (const std::string probe : {"up", "activity", "database"}) {
    const auto series = age_of(probe, "gated");
    EXPECT_GT(value_of(after, series).value_or(0), value_of(before, series).value_or(0) + 6)
        << lines_of(after, "pantryd_probe_age_seconds");
    EXPECT_NE(value_of(after, outcome_of(probe, "ok", "gated")), 1) << probe;
    EXPECT_EQ(value_of(after, outcome_of(probe, "ok", "healthy")), 1) << probe;
  }
  gate.clear();
  EXPECT_TRUE(within(kBack,
                     [&] {
                       const auto page = daemon.page();
                       return value_of(page, "pg_up{target=\"gated\"}") == 1 &&
                              value_of(page, age_of("activity", "gated")).value_or(99) < 11;
                     }))
      << lines_of(daemon.page(), "pantryd_probe_age_seconds") << daemon.log();
  watch.finish(GetParam() == GateFault::stall ? "packets stop (stall)"
                                              : "packets dropped (black hole)");
}
INSTANTIATE_TEST_SUITE_P(Faults, NetworkTest,
                         testing::Values(GateFault::stall, GateFault::black_hole));

// Only names need the resolver. Forty of them are more than the threads that may wait for it, and
// the target that is given by its address must not need one of those.
TEST(ResolverTest, AResolverThatDoesNotAnswerCostsTheTargetsThatAreNamedAndNoOthers) {
  const auto port = shared_sandbox().port();
  std::vector<std::string> targets{target_line("healthy", watcher_at(port))};
  for (int i = 0; i < 40; ++i) {
    const auto name = fmt::format("named{}", i);
    targets.push_back(target_line(name, watcher_at(port).with("host", name + ".shop.example")));
  }
  Daemon::Options options;
  options.wait_until_ready = false;
  // The daemon alone has this resolver, and whoever runs the test may give it one.
  const auto* asan = std::getenv("ASAN_OPTIONS");
  const auto asked = scratch_dir() / "asked";
  options.wrapper = {"env", std::string("LD_PRELOAD=") + places::silent_resolver,
                     "SILENT_RESOLVER_ASKED=" + asked.string(),
                     fmt::format("ASAN_OPTIONS={}:verify_asan_link_order=0", asan ? asan : "")};
  Daemon daemon(places::binary, targets, options);
  ASSERT_TRUE(within(seconds(30), [&] {
    const auto page = daemon.page();
    return value_of(page, outcome_of("settings", "ok", "healthy")) == 1 &&
           value_of(page, outcome_of("up", "error", "named7")) == 1;
  })) << daemon.log();
  EXPECT_TRUE(std::filesystem::exists(asked));
  auto admin = pg::Connection::connect(shared_sandbox().primary(), Deadline::in(seconds(30)));
  PageWatch watch(daemon, {"pg_postmaster_start_time_seconds{target=\"healthy\"}"}, {port},
                  shared_sandbox().primary());
  // The healthy one connects anew while all of the others wait for a name.
  std::this_thread::sleep_for(seconds(5));
  admin.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
             pg::Params::of(kWatcher), Deadline::in(seconds(30)));
  std::this_thread::sleep_for(seconds(7));
  EXPECT_TRUE(within(kBack, [&] {
    const auto page = daemon.page();
    return value_of(page, "pg_up{target=\"healthy\"}") == 1 &&
           value_of(page, age_of("up", "healthy")).value_or(99) < 7;
  })) << daemon.log();
  const auto page = daemon.page();
  EXPECT_EQ(value_of(page, "pg_up{target=\"named7\"}"), 0);
  EXPECT_EQ(value_of(page, age_of("up", "named7")), std::nullopt) << "it never succeeded";
  EXPECT_THAT(daemon.log(), HasSubstr("the name named7.shop.example was not resolved in time"));
  watch.finish("a resolver that says nothing, 40 of 41 targets");
}

}  // namespace
}  // namespace pantryd
