// Owns the order of life: pool, then windows, then connectors, then reactors; each outlives the
// next.
#include "loadgen/drive/load.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <thread>

#include "base/assert.h"
#include "loadgen/dataset/ledger.h"
#include "loadgen/drive/invariants.h"
#include "loadgen/drive/reactor.h"
#include "loadgen/drive/warm_up.h"
#include "loadgen/evidence/sampler.h"
#include "loadgen/result/window_file.h"
#include "pool/pool.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kConnectLimit = std::chrono::seconds(15);
constexpr auto kGrace =
    std::chrono::seconds(1);  // so that the error of the connect itself is reported
constexpr auto kForever = std::chrono::hours(24 * 8);
constexpr auto kBackOffMax = std::chrono::milliseconds(500);
constexpr std::int32_t kConnectsMax = 8;
constexpr auto kQuestionLimit = std::chrono::seconds(30);
constexpr const char* kApplicationName = "pantryd-load";

void check(const LoadOptions& options) {
  const auto refuse = [](const std::string& what, const std::string& hint = {}) {
    throw Error(ExitCode::usage, what, hint);
  };
  if (options.plan.lines.size() > 0 && options.plan.arrivals() <= 0) {
    refuse("the rate is 0 during the whole load");
  }
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
  if (options.threads < 1 || options.threads > 64) refuse("the threads must be from 1 to 64");
  if (options.threads > options.connections) {
    refuse(
        fmt::format("{} threads need at least {} connections", options.threads, options.threads));
  }
  if (options.workload.operations.empty())
    refuse("every operation of the workload is switched off");
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

/// Throws when max_connections leaves too little, and no pooler stands between that would share out
/// what there is. A server that fills up afterwards is the pool's error.
void check_room(pg::Connection& connection, std::int64_t wanted) {
  const auto row = connection.exec(
      "SELECT pg_backend_pid(), current_setting('max_connections')::int8,"
      " CASE WHEN current_setting('is_superuser') = 'on' THEN 0"
      " ELSE current_setting('superuser_reserved_connections')::int8 END,"
      " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') - 1",
      Deadline::in(kQuestionLimit));
  const auto max = row.i64(0, 1);
  const auto reserved = row.i64(0, 2);
  const auto used = row.i64(0, 3);
  const bool direct = row.i64(0, 0) == connection.backend_pid();
  if (!direct || wanted <= max - reserved - used) return;
  throw NoRoom(ExitCode::failed,
               fmt::format("the server has no room for {} connections: max_connections is {}, {} "
                           "are reserved for superusers, {} are in use",
                           wanted, max, reserved, used),
               "Use fewer --connections, or raise max_connections.");
}

void describe_server(Pool& pool, LoadResult& result, const StopFlag* stop) {
  auto lease = pool.acquire(Deadline::in(kConnectLimit + kGrace), stop);
  const auto deadline = Deadline::in(kQuestionLimit);
  // With the settings of the workload's own sessions, but for where names are looked up.
  lease->exec_script("BEGIN TRANSACTION READ ONLY; SET LOCAL search_path = pg_catalog, pg_temp",
                     deadline);
  result.server_version = lease->exec("SHOW server_version", deadline).text(0, 0);
  const auto rows = lease->exec(
      "SELECT name, current_setting(name) FROM pg_settings WHERE name IN ('shared_buffers', "
      "'max_connections', 'synchronous_commit', 'fsync', 'full_page_writes', 'wal_level', "
      "'max_wal_size', 'checkpoint_timeout', 'work_mem', 'shared_preload_libraries') ORDER BY 1",
      deadline);
  for (int i = 0; i < rows.rows(); ++i) {
    result.server_settings.emplace_back(rows.text(i, 0), rows.text(i, 1));
  }
  check_room(*lease, result.options.connections);
  lease->exec("COMMIT", deadline);
  if (!result.options.workload.needs_dataset()) return;
  const auto ledger = read_ledger(*lease, deadline);
  if (!ledger || !ledger->complete) {
    throw Error(ExitCode::failed,
                ledger ? "the seed of this database is not complete"
                       : "this database was not seeded, so the keys of its rows are not known",
                "Run pantryd seed first.");
  }
  result.dataset = ledger->shape;
}

/// The plan with the warm-up before it; empty for a closed loop.
RatePlan with_warmup(const LoadOptions& options) {
  RatePlan out;
  if (!options.plan.empty()) {
    const double first = options.plan.lines.front().from_per_s;
    out.lines.push_back({options.warmup, first, first});
    out.lines.insert(out.lines.end(), options.plan.lines.begin(), options.plan.lines.end());
  } else if (options.rate_per_s) {
    const double rate = *options.rate_per_s;
    if (options.warm_until_steady) {
      out.lines = {{options.warmup, rate, rate}, {options.duration, rate, rate}};
    } else {
      out.lines.push_back({options.warmup + options.duration, rate, rate});
    }
  }
  return out;
}

ReactorOptions reactor_options(const LoadOptions& options, const WarmUp& warm_up,
                               std::int64_t part) {
  ReactorOptions out;
  out.plan = with_warmup(options);
  out.arrivals = options.arrivals;
  out.part = static_cast<std::uint32_t>(part);
  out.parts = static_cast<std::uint32_t>(options.threads);
  out.users = options.users / options.threads + (part < options.users % options.threads ? 1 : 0);
  out.pipelined = options.mode == Mode::pipelined;
  out.seed = options.seed;
  out.warmup = options.warmup;
  out.warm_up = &warm_up;
  out.duration = options.duration;
  out.statement_limit = options.statement_limit;
  out.drain_limit = options.drain_limit;
  out.raise_priority = options.raise_priority;
  return out;
}

/// A reactor and what it needs for itself.
struct Engine {
  std::unique_ptr<Connector> connector;
  std::unique_ptr<Reactor> reactor;
  std::exception_ptr failure;
};

std::vector<Engine> build(Pool& pool, const LoadOptions& options, const ValueSource& values,
                          const WarmUp& warm_up, WindowCollector& windows, const StopFlag* stop) {
  const auto& workload = options.workload;
  std::vector<Engine> engines(static_cast<std::size_t>(options.threads));
  for (auto& each : engines) {
    each.connector = std::make_unique<Connector>(pool, workload, options.mode == Mode::pipelined);
  }
  auto all = engines[0].connector->open(static_cast<int>(options.connections), stop);
  std::vector<std::vector<std::unique_ptr<Session>>> shares(engines.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    shares[i % shares.size()].push_back(std::move(all[i]));
  }
  for (std::size_t i = 0; i < engines.size(); ++i) {
    engines[i].reactor = std::make_unique<Reactor>(
        workload, values, *engines[i].connector, std::move(shares[i]),
        reactor_options(options, warm_up, static_cast<std::int64_t>(i)), windows, stop);
  }
  return engines;
}

/// Runs each reactor on a thread of its own and shows progress meanwhile.
void drive(std::vector<Engine>& engines, const WindowCollector& windows,
           const ProgressFn& progress) {
  std::atomic<std::size_t> running{engines.size()};
  std::vector<std::thread> threads;
  for (auto& engine : engines) {
    threads.emplace_back([&engine, &running] {
      try {
        engine.reactor->run();
      } catch (...) {
        engine.failure = std::current_exception();
      }
      --running;
    });
  }
  auto shown_second = INT64_MIN;
  while (running.load() > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (!progress) continue;
    const auto live = windows.live();
    if (live.second == shown_second || (live.offered == 0 && live.connections == 0)) continue;
    shown_second = live.second;
    progress(live);
  }
  for (auto& thread : threads) thread.join();
  for (const auto& engine : engines) {
    if (engine.failure) std::rethrow_exception(engine.failure);
  }
}

/// Throughput and the windows are the same count.
void check_windows(const LoadResult& result) {
  if (result.totals.windows.size() >= kWindowsMax) return;
  std::int64_t sum = 0;
  for (const auto& window : result.totals.windows) {
    if (window.phase == Phase::measured) sum += window.completed;
  }
  PANTRYD_ASSERT(sum == result.done_in_window());
}

/// The length of the warm-up, and its seconds counted from its end.
void take_warm_up(LoadResult& result, WarmUp& warm_up) {
  result.warm_up = warm_up.facts();
  if (result.stopped) result.warm_up.limit_reached = false;
  const auto earlier =
      result.options.warmup - std::chrono::duration_cast<std::chrono::milliseconds>(
                                  std::chrono::nanoseconds(warm_up.measure_from_ns()));
  result.options.warmup -= earlier;
  for (auto& window : result.totals.windows) {
    if (window.phase == Phase::warmup) window.second += earlier.count() / 1000;
  }
  for (std::size_t i = 0; i < result.operations.size(); ++i) {
    result.operations[i].service_over_time = std::move(warm_up.blocks()[i]);
  }
}

void collect(LoadResult& result, std::vector<Engine>& engines, WindowCollector& windows,
             WarmUp& warm_up) {
  result.totals = std::move(engines[0].reactor->totals());
  result.priority_raised = true;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    auto& reactor = *engines[i].reactor;
    if (i > 0) result.totals.merge(reactor.totals());
    result.stopped = result.stopped || reactor.was_stopped();
    result.priority_raised = result.priority_raised && reactor.priority_raised();
  }
  windows.finish();
  result.totals.windows = windows.take_windows();
  for (std::size_t i = 0; i < result.totals.operations.size(); ++i) {
    OperationResult operation;
    operation.name = result.options.workload.operations[i].name;
    operation.slo_p99 = result.options.workload.operations[i].slo_p99;
    operation.totals = std::move(result.totals.operations[i]);
    result.operations.push_back(std::move(operation));
  }
  result.totals.operations.clear();
  take_warm_up(result, warm_up);
  check_windows(result);
}

/// What follows from what was asked for.
LoadOptions completed(LoadOptions options) {
  options.workload = options.workload.without_idle();
  if (options.users == 0) options.users = options.connections;
  if (!options.plan.empty()) {
    options.duration = std::chrono::duration_cast<std::chrono::milliseconds>(options.plan.length());
    options.rate_per_s = options.plan.mean_per_s();
  }
  if (options.warm_until_steady) {
    options.warmup = std::chrono::ceil<std::chrono::seconds>(options.warmup);
  }
  return options;
}

}  // namespace

LoadResult run_load(const pg::Conninfo& where, const LoadOptions& options,
                    const ProgressFn& progress, const StopFlag* stop) {
  LoadResult result;
  result.options = completed(options);
  check(result.options);
  result.target = where.display();
  const auto wall = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  result.started_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", wall);
  WindowFile file(result.options);

  const auto began = SteadyClock::now();
  Pool pool(where.with("application_name", kApplicationName), pool_settings(options));
  describe_server(pool, result, stop);
  const auto& invariants = result.options.workload.invariants;
  auto before = read_invariants(pool, invariants, stop);
  const auto nonce =
      mix64(static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count()),
            ::getpid());
  const ValueSource values(result.options.workload, result.dataset, nonce);
  WarmUp warm_up(result.options);
  WindowCollector windows(static_cast<std::size_t>(options.threads),
                          result.options.workload.operations.size(),
                          [&file, &warm_up](const WindowPart& second) {
                            file.write(second);
                            warm_up.see(second);
                          });
  auto engines = build(pool, result.options, values, warm_up, windows, stop);
  // After the load's own: a server that has no room for one more costs the evidence alone.
  std::optional<Sampler> sampler;
  if (options.evidence) {
    sampler.emplace(where, result.dataset);
    result.environment = sampler->environment();
  }
  result.setup_s = std::chrono::duration<double>(SteadyClock::now() - began).count();
  const auto start = SteadyClock::now();
  warm_up.start_at(start);
  for (auto& each : engines) each.reactor->start_at(start);
  if (sampler) sampler->start(start + result.options.warmup);
  drive(engines, windows, progress);
  collect(result, engines, windows, warm_up);
  result.windows_error = file.close();
  if (sampler) {
    const auto from = start + std::chrono::nanoseconds(warm_up.measure_from_ns());
    result.evidence = sampler->finish(from, result.totals.client.measured_s);
  }
  engines.clear();  // what was cancelled has ended before the invariants are read again
  auto after = read_invariants(pool, invariants, stop);
  for (std::size_t i = 0; i < invariants.size(); ++i) {
    result.invariants.push_back(
        {invariants[i].name, invariants[i].place, std::move(before[i]), std::move(after[i])});
  }
  if (options.count_rows && result.dataset && !result.stopped) {
    result.rows = count_dataset(where, *result.dataset);
  }
  return result;
}

}  // namespace pantryd::loadgen
