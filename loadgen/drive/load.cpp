// Owns the order of life: pool, then connector, then reactor; each outlives the next.
#include "loadgen/drive/load.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <thread>

#include "loadgen/dataset/ledger.h"
#include "loadgen/drive/verdict.h"
#include "loadgen/evidence/sampler.h"
#include "pool/pool.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kConnectLimit = std::chrono::seconds(15);
constexpr auto kGrace = std::chrono::seconds(1);  // so that the connect's own error is told
constexpr auto kForever = std::chrono::hours(24 * 8);
constexpr auto kBackOffMax = std::chrono::milliseconds(500);
constexpr std::int32_t kConnectsMax = 8;
constexpr auto kStatementLimit = std::chrono::seconds(30);
constexpr const char* kApplicationName = "pantryd-load";

void check(const LoadOptions& options) {
  const auto refuse = [](const std::string& what, const std::string& hint = {}) {
    throw Error(ExitCode::usage, what, hint);
  };
  if (options.rate_per_s && !(*options.rate_per_s >= 0.01 && *options.rate_per_s <= 1e6)) {
    refuse("the rate must be from 0.01 to 1000000 operations a second");
  }
  if (options.connections < 1 || options.connections > 1000) {
    refuse("the connections must be from 1 to 1000");
  }
  if (options.users != 0 && options.users < options.connections) {
    refuse(
        fmt::format("{} users cannot keep {} connections busy", options.users, options.connections),
        "Give at least as many users as connections.");
  }
  if (options.users > 100'000) refuse("the users must be at most 100000");
  if (options.duration.count() < 1) refuse("the duration must be above 0");
  if (options.duration > std::chrono::hours(24 * 7)) refuse("the duration must be 7 days at most");
  if (options.statement_limit.count() < 1) refuse("the statement limit must be above 0");
}

PoolSettings pool_settings(const LoadOptions& options) {
  auto settings = options.pool.value_or(PoolSettings());
  if (!options.pool) {
    settings.policy.connects_max = kConnectsMax;
    settings.connect_timeout = kConnectLimit;
  }
  settings.policy.size_min = 0;
  settings.policy.size_max = static_cast<std::int32_t>(options.connections);
  // A run ends sooner than its connections age, and each of them is used all the time.
  settings.policy.idle_timeout = kForever;
  settings.policy.lifetime = kForever;
  settings.policy.check_after = kForever;
  // The load comes back with the server: the gap in its results is the server's and not ours.
  settings.policy.backoff_max = kBackOffMax;
  settings.policy.breaker_failures = 1;
  settings.leak_after = std::chrono::milliseconds(0);  // a session lives as long as the run
  settings.connect.application_name = kApplicationName;
  return settings;
}

void describe_server(Pool& pool, LoadResult& result, const StopFlag* stop) {
  auto lease = pool.acquire(Deadline::in(kConnectLimit + kGrace), stop);
  const auto deadline = Deadline::in(kStatementLimit);
  result.server_version = lease->exec("SHOW server_version", deadline).text(0, 0);
  const auto rows = lease->exec(
      "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('shared_buffers', "
      "'max_connections', 'synchronous_commit', 'fsync', 'full_page_writes', 'wal_level', "
      "'max_wal_size', 'checkpoint_timeout', 'work_mem', 'shared_preload_libraries') ORDER BY 1",
      deadline);
  for (int i = 0; i < rows.rows(); ++i) {
    result.server_settings.emplace_back(rows.text(i, 0), rows.text(i, 1));
  }
  if (!result.options.workload.needs_dataset()) return;
  const auto ledger = read_ledger(*lease, deadline);
  if (!ledger || !ledger->complete) {
    throw Error(ExitCode::failed,
                ledger ? "the seed of this database is not complete"
                       : "this database was not seeded, so the workload knows none of its keys",
                "Fill it first: pantryd seed.");
  }
  result.dataset = ledger->shape;
}

ReactorOptions reactor_options(const LoadOptions& options) {
  ReactorOptions out;
  out.rate_per_s = options.rate_per_s;
  out.users = options.users;
  out.pipelined = options.mode == Mode::pipelined;
  out.seed = options.seed;
  out.warmup = options.warmup;
  out.duration = options.duration;
  out.statement_limit = options.statement_limit;
  out.drain_limit = options.drain_limit;
  out.raise_priority = options.raise_priority;
  return out;
}

/// Runs the reactor on a thread of its own and shows progress meanwhile.
void drive(Reactor& reactor, const ProgressFn& progress) {
  std::atomic<bool> done{false};
  std::exception_ptr failure;
  std::thread thread([&] {
    try {
      reactor.run();
    } catch (...) {
      failure = std::current_exception();
    }
    done = true;
  });
  auto shown_second = INT64_MIN;
  while (!done.load()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (!progress) continue;
    const auto live = reactor.live();
    if (live.second == shown_second || (live.offered == 0 && live.connections == 0)) continue;
    shown_second = live.second;
    progress(live);
  }
  thread.join();
  if (failure) std::rethrow_exception(failure);
}

void collect(LoadResult& result, Reactor& reactor) {
  result.totals = std::move(reactor.totals());
  result.stopped = reactor.was_stopped();
  result.priority_raised = reactor.priority_raised();
  for (std::size_t i = 0; i < result.totals.operations.size(); ++i) {
    OperationResult operation;
    operation.name = result.options.workload.operations[i].name;
    operation.slo_p99 = result.options.workload.operations[i].slo_p99;
    operation.totals = std::move(result.totals.operations[i]);
    result.operations.push_back(std::move(operation));
  }
  result.totals.operations.clear();
}

}  // namespace

std::string_view to_string(Mode mode) {
  return mode == Mode::faithful ? "faithful" : "pipelined";
}

LoadResult run_load(const pg::Conninfo& where, const LoadOptions& options,
                    const ProgressFn& progress, const StopFlag* stop) {
  check(options);
  LoadResult result;
  result.options = options;
  if (result.options.users == 0) result.options.users = options.connections;
  result.target = where.display();
  const auto wall = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  result.started_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", wall);

  const auto began = SteadyClock::now();
  Pool pool(where.with("application_name", kApplicationName), pool_settings(options));
  describe_server(pool, result, stop);
  const auto nonce =
      mix64(static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()),
            ::getpid());
  const ValueSource values(result.options.workload, result.dataset, nonce);
  Connector connector(pool, result.options.workload, options.mode == Mode::pipelined);
  auto sessions = connector.open(static_cast<int>(options.connections), stop);
  // After the load's own: a server that has no room for one more costs the evidence alone.
  std::optional<Sampler> sampler;
  if (options.evidence) {
    sampler.emplace(where, result.dataset);
    result.environment = sampler->environment();
  }
  Reactor reactor(result.options.workload, values, connector, std::move(sessions),
                  reactor_options(result.options), stop);
  result.setup_s = std::chrono::duration<double>(SteadyClock::now() - began).count();
  if (sampler) sampler->start(SteadyClock::now() + options.warmup);
  drive(reactor, progress);
  collect(result, reactor);
  if (sampler) result.evidence = sampler->finish(result.totals.client.measured_s);
  judge(result);
  return result;
}

std::int64_t LoadResult::offered() const {
  std::int64_t sum = 0;
  for (const auto& each : operations) sum += each.totals.offered;
  return sum;
}
std::int64_t LoadResult::completed() const {
  std::int64_t sum = 0;
  for (const auto& each : operations) sum += each.totals.completed;
  return sum;
}
std::int64_t LoadResult::refused() const {
  std::int64_t sum = 0;
  for (const auto& each : operations) sum += each.totals.refused;
  return sum;
}
std::int64_t LoadResult::errors() const {
  std::int64_t sum = 0;
  for (const auto& each : operations) sum += each.totals.errors;
  return sum;
}
std::int64_t LoadResult::not_started() const {
  std::int64_t sum = 0;
  for (const auto& each : operations) sum += each.totals.not_started;
  return sum;
}
double LoadResult::completed_per_s() const {
  const auto seconds = totals.client.measured_s;
  return seconds > 0 ? static_cast<double>(completed()) / seconds : 0;
}

}  // namespace pantryd::loadgen
