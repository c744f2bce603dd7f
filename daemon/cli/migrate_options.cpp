// Reads the options of a run, and connects for it.
#include "cli/migrate_options.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"

namespace pantryd::cli {
namespace {

using std::chrono::milliseconds;

constexpr auto kConnectLimit = std::chrono::seconds(10);
constexpr auto kTestPauseLimit = std::chrono::minutes(5);

/// For the tests that kill a run: PANTRYD_TEST_PAUSE_BEFORE=N prints "paused before step N: WHAT"
/// and waits there. Steps are statements and writes of history, counted from 1.
std::function<void(std::string_view)> test_pause(const StopFlag* stop) {
  const char* text = std::getenv("PANTRYD_TEST_PAUSE_BEFORE");
  if (text == nullptr || stop == nullptr) return {};
  return [at = std::atoi(text), stop, step = 0](std::string_view what) mutable {
    if (++step != at) return;
    fmt::print("paused before step {}: {}\n", step, one_line(what.substr(0, 80)));
    std::fflush(stdout);
    (void)stop->wait(Deadline::in(kTestPauseLimit));
  };
}

}  // namespace

std::vector<Option> folder_options() {
  return {text("dir", "DIR", "", "folder of the migrations; default: those in this binary")};
}

std::vector<Option> run_options() {
  return concat({folder_options(),
                 {duration("lock-wait", "10m", milliseconds(0), kNoLimit,
                           "how long to wait for another run of pantryd migrate"),
                  duration("lock-timeout", "2s", milliseconds(1), kNoLimit,
                           "how long an attempt waits for a table's lock; other sessions queue "
                           "behind it meanwhile"),
                  duration("lock-budget", "10m", milliseconds(0), kNoLimit,
                           "how long to try for a table's lock, all attempts together"),
                  duration("statement-timeout", "1h", milliseconds(1), kNoLimit,
                           "how long one statement may run")}});
}

std::vector<migrate::Migration> files_of(const Values& values) {
  const auto& dir = values.text("dir");
  // An unset variable in a script must not bring up the migrations of this binary instead.
  if (dir.empty() && values.given("dir")) {
    throw Error(ExitCode::usage, "--dir is empty", "Name the folder of the migrations.");
  }
  return dir.empty() ? migrate::embedded_migrations() : migrate::load_folder(dir);
}

pg::Connection connect_to_migrate(const Context& context) {
  return pg::Connection::connect(
      target(context), Deadline::in(kConnectLimit),
      {.application_name = "pantryd migrate", .settings = {}, .stop = context.stop});
}

migrate::RunnerOptions runner_options(const Context& context, const Values& values) {
  migrate::RunnerOptions run;
  run.lock_wait = values.duration("lock-wait");
  run.lock_timeout = values.duration("lock-timeout");
  run.lock_budget = values.duration("lock-budget");
  run.statement_timeout = values.duration("statement-timeout");
  run.tool_version = PANTRYD_VERSION;
  run.stop = context.stop;
  run.before_step = test_pause(context.stop);
  return run;
}

}  // namespace pantryd::cli
