#include "cli/migrate_options.h"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"

namespace pantryd::cli {
namespace {

constexpr auto kConnectLimit = std::chrono::seconds(10);
constexpr auto kTestPauseLimit = std::chrono::minutes(5);

/// For the tests that kill a run: PANTRYD_TEST_PAUSE_BEFORE=N says "paused before step N: WHAT"
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

po::options_description folder_option() {
  po::options_description options("Options");
  options.add_options()("dir", po::value<std::string>()->default_value(""),
                        "folder of the migrations; default: those in this binary");
  return options;
}

po::options_description run_options() {
  auto options = folder_option();
  const auto text = [](const char* value) {
    return po::value<std::string>()->default_value(value);
  };
  options.add_options()("lock-wait", text("10m"), "how long to wait for another runner")(
      "lock-timeout", text("2s"), "the longest that others queue behind us for a table")(
      "lock-budget", text("10m"), "how long to try for a table's lock, all attempts together")(
      "statement-timeout", text("1h"), "the longest that one statement may run");
  return options;
}

std::vector<migrate::Migration> files_of(const po::variables_map& values) {
  const auto dir = values["dir"].as<std::string>();
  // An unset variable in a script must not bring up the migrations of this binary instead.
  if (dir.empty() && !values["dir"].defaulted()) {
    throw Error(ExitCode::usage, "--dir names no folder", "Name the folder of the migrations.");
  }
  return dir.empty() ? migrate::embedded_migrations() : migrate::load_folder(dir);
}

pg::Connection connect_to_migrate(const Context& context) {
  return pg::Connection::connect(
      target(context), Deadline::in(kConnectLimit),
      {.application_name = "pantryd migrate", .settings = {}, .stop = context.stop});
}

migrate::RunnerOptions runner_options(const Context& context, const po::variables_map& values) {
  migrate::RunnerOptions run;
  run.lock_wait = duration_option(values, "lock-wait");
  run.lock_timeout = duration_option(values, "lock-timeout");
  run.lock_budget = duration_option(values, "lock-budget");
  run.statement_timeout = duration_option(values, "statement-timeout");
  for (const auto* name : {"lock-timeout", "statement-timeout"}) {
    if (duration_option(values, name).count() > 0) continue;
    throw Error(ExitCode::usage, fmt::format("--{} 0 would be without a limit", name),
                "Give a duration above 0.");
  }
  if (values.count("to") > 0) run.to = values["to"].as<std::int64_t>();
  run.allow_out_of_order = values.count("allow-out-of-order") > 0;
  run.tool_version = PANTRYD_VERSION;
  run.stop = context.stop;
  run.before_step = test_pause(context.stop);
  return run;
}

}  // namespace pantryd::cli
