// What the pool costs and how fair it is, beside the plainest pool there is, on a server of its
// own: bench_pool [SECONDS [PART]]. SECONDS is how long each crowd works (60), PART one of
// uncontended, contended, crowds.
#include "pool/pool.h"

#include <malloc.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <mutex>
#include <thread>

#include "base/stop.h"
#include "sandbox/sandbox.h"
#include "tests/bench/crew.h"
#include "tests/bench/figures.h"
#include "tests/bench/plain_pool.h"

namespace pantryd::bench {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int kRounds = 5;
constexpr int kUncontendedOperations = 100'000;
constexpr auto kContendedSlice = 500ms;
constexpr auto kPatience = 60s;  // of a borrower, and for an answer

struct Interrupted {};

void work_for(std::chrono::nanoseconds time, const StopFlag& stop) {
  if (stop.wait(Deadline::in(time))) throw Interrupted{};
}

/// One server, gone with this process.
class Server {
 public:
  explicit Server(const StopFlag& stop)
      : dir_(fs::temp_directory_path() / fmt::format("pantryd-bench-{}", ::getpid())) {
    fs::create_directories(dir_);
    ::chmod(dir_.c_str(), 0755);  // the server runs as another user
    SandboxOptions options;
    options.dir = dir_ / "sandbox";
    options.standby = false;
    options.backups = false;
    options.tied_to_us = true;
    sandbox_.emplace(Sandbox::up(options, &stop));
    sandbox_->stop_primary();
    std::ofstream(options.dir / "primary/postgresql.conf", std::ios::app)
        << "max_connections = 400\nlog_statement = none\n";
    sandbox_->start_primary();
  }
  ~Server() {
    sandbox_.reset();
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  [[nodiscard]] pg::Conninfo where() const { return sandbox_->primary(); }

 private:
  fs::path dir_;
  std::optional<Sandbox> sandbox_;
};

/// With all of its connections made.
std::unique_ptr<Pool> our_pool(const pg::Conninfo& where, int size) {
  PoolSettings settings;
  settings.policy.size_min = size;
  settings.policy.size_max = size;
  settings.policy.waiters_max = 20'000;
  auto pool = std::make_unique<Pool>(where, settings);
  const auto deadline = Deadline::in(60s);
  while (pool->statistics().now.idle < size) {
    if (deadline.expired()) throw Error(ExitCode::failed, "the pool does not fill");
    std::this_thread::sleep_for(10ms);
  }
  return pool;
}

std::string load_average() {
  std::string load;
  std::getline(std::ifstream("/proc/loadavg"), load, ' ');
  return load;
}

// --- alone --------------------------------------------------------------------------------------

/// CPU time of this thread, system calls included: what else runs on the machine is not in it.
double own_cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

template <typename AnyPool>
double alone_ns(AnyPool& pool) {
  const auto began = own_cpu_ns();
  for (int i = 0; i < kUncontendedOperations; ++i) {
    const auto lease = pool.acquire(Deadline::in(kPatience));
  }
  return (own_cpu_ns() - began) / kUncontendedOperations;
}

void measure_uncontended(const pg::Conninfo& where) {
  const auto pool = our_pool(where, 10);
  PlainPool plain(where, 10);
  Rounds ours;
  Rounds theirs;
  for (int round = 0; round < kRounds; ++round) {
    ours.values.push_back(alone_ns(*pool));
    theirs.values.push_back(alone_ns(plain));
  }
  figure("pool_uncontended", fmt::format("{:.0f}", ours.median()), "ns");
  figure("pool_uncontended_noise", fmt::format("{:.0f}", ours.noise_percent()), "percent");
  figure("plain_uncontended", fmt::format("{:.0f}", theirs.median()), "ns");
  figure("plain_uncontended_noise", fmt::format("{:.0f}", theirs.noise_percent()), "percent");
  figure("pool_uncontended_against_plain", fmt::format("{:.2f}", ours.over(theirs)), "times");
}

// --- many, without a statement ------------------------------------------------------------------

template <typename AnyPool>
double handovers_per_second(AnyPool& pool, int threads, const StopFlag& stop) {
  std::atomic<std::int64_t> operations{0};
  Crew* crew = nullptr;
  const auto work = [&] {
    std::int64_t mine = 0;
    for (auto phase = crew->phase(); phase != Phase::over; phase = crew->phase()) {
      const auto lease = pool.acquire(Deadline::in(kPatience));
      if (phase == Phase::steady) ++mine;
    }
    operations += mine;
  };
  Crew workers(threads, work);
  crew = &workers;
  workers.enter(Phase::warm_up);
  work_for(kContendedSlice / 4, stop);
  const auto began = SteadyClock::now();
  workers.enter(Phase::steady);
  work_for(kContendedSlice, stop);
  const std::chrono::duration<double> time = SteadyClock::now() - began;
  workers.end();
  return static_cast<double>(operations.load()) / time.count();
}

void tell(const std::string& name, const Rounds& ours, const Rounds& plain, const Rounds& ordered) {
  const std::pair<const char*, const Rounds*> pools[] = {
      {"pool_", &ours}, {"plain_", &plain}, {"ordered_", &ordered}};
  for (const auto& [who, rounds] : pools) {
    figure(who + name, fmt::format("{:.0f}", rounds->median()), "operations/s");
    figure(who + name + "_noise", fmt::format("{:.0f}", rounds->noise_percent()), "percent");
  }
  figure("pool_" + name + "_against_plain", fmt::format("{:.2f}", ours.over(plain)), "times");
  figure("pool_" + name + "_against_ordered", fmt::format("{:.2f}", ours.over(ordered)), "times");
}

void measure_contended(const pg::Conninfo& where, const StopFlag& stop) {
  for (const int connections : {10, 100}) {
    const auto pool = our_pool(where, connections);
    PlainPool plain(where, connections);
    OrderedPool ordered(where, connections);
    for (const int threads : {8, 100, 1000}) {
      Rounds ours;
      Rounds plains;
      Rounds ordereds;
      for (int round = 0; round < kRounds; ++round) {
        ours.values.push_back(handovers_per_second(*pool, threads, stop));
        plains.values.push_back(handovers_per_second(plain, threads, stop));
        ordereds.values.push_back(handovers_per_second(ordered, threads, stop));
      }
      tell(fmt::format("{}_threads_{}_connections", threads, connections), ours, plains, ordereds);
    }
  }
}

// --- a crowd at work ----------------------------------------------------------------------------

/// Memory that is ours alone: pages of the heap and of stacks. Pages of files (the program and its
/// libraries, read in when first needed) are the kernel's to keep or drop, so they do not count.
std::int64_t resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::int64_t value = 0;
    if (word == "RssAnon:" && status >> value) return value;
  }
  throw Error(ExitCode::failed, "no RssAnon in /proc/self/status");
}

/// What malloc has handed out: growth of it cannot hide in pages that were touched before.
std::int64_t heap_kib() {
  return static_cast<std::int64_t>(mallinfo2().uordblks / 1024);
}

struct Work {
  Durations waits;  ///< of those who asked in the steady state
  std::atomic<std::int64_t> operations{0};
  std::atomic<std::int64_t> errors{0};
  std::mutex mutex;
  std::string first_error;

  void fail(const char* what) {
    if (errors.fetch_add(1) > 0) return;
    const std::lock_guard lock(mutex);
    first_error = what;
  }
};

/// By the pool's own book-keeping, which ends at the grant: what a borrower waits beyond that, it
/// waits for a core.
struct Grants {
  DurationHistogram histogram;

  static Grants of(const Pool& pool) { return {pool.statistics().acquire_wait}; }
  static Grants of(const PlainPool& /*counts nothing*/) { return {}; }
  /// The bound under which all of those since `earlier` are; 0: nothing was counted.
  [[nodiscard]] double all_within_ms(const Grants& earlier) const {
    double out = 0;
    for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
      if (histogram.counts[i] == earlier.histogram.counts[i]) continue;
      out = i < DurationHistogram::kBounds_s.size() ? 1000 * DurationHistogram::kBounds_s[i]
                                                    : std::numeric_limits<double>::infinity();
    }
    return out;
  }
};

/// Operations a second in the slowest tenth of one. Who waits in order waits for those before: a
/// long wait while all go slowly is the machine's, one while the others go on would be the pool's.
double slowest_rate(const Work& work, std::chrono::nanoseconds time, const StopFlag& stop) {
  const auto end = Deadline::in(time);
  auto slowest = std::numeric_limits<double>::max();
  while (!end.expired()) {
    const auto before = work.operations.load();
    const auto began = SteadyClock::now();
    work_for(100ms, stop);
    const std::chrono::duration<double> took = SteadyClock::now() - began;
    slowest =
        std::min(slowest, static_cast<double>(work.operations.load() - before) / took.count());
  }
  return slowest;
}

template <typename AnyPool>
void borrow_and_ask(AnyPool& pool, const Crew& crew, Work& work) {
  for (auto phase = crew.phase(); phase != Phase::over; phase = crew.phase()) {
    try {
      const auto asked = SteadyClock::now();
      const auto lease = pool.acquire(Deadline::in(kPatience));
      const auto got = SteadyClock::now();
      const auto result = lease->exec("SELECT 1", Deadline::in(kPatience));
      if (result.rows() != 1) work.fail("SELECT 1 returned no row");
      work.operations.fetch_add(1, std::memory_order_relaxed);
      if (phase == Phase::steady) work.waits.add(got - asked);
    } catch (const std::exception& error) {
      work.fail(error.what());
    }
  }
}

template <typename AnyPool>
void measure_crowd(const std::string& name, AnyPool& pool, int workers, std::chrono::seconds time,
                   bool goals, const StopFlag& stop) {
  const auto load = load_average();
  auto work = std::make_unique<Work>();
  Crew* crew = nullptr;
  Crew all(workers, [&] { borrow_and_ask(pool, *crew, *work); });
  crew = &all;
  all.enter(Phase::warm_up);
  // Every stack and every cache of malloc has been touched after some rounds of everybody.
  work_for(std::max<std::chrono::nanoseconds>(time / 4, 5s), stop);
  const auto resident_before = resident_kib();
  const auto heap_before = heap_kib();
  const auto grants_before = Grants::of(pool);
  const auto done_before = work->operations.load();
  const auto began = SteadyClock::now();
  all.enter(Phase::steady);
  const auto slowest = slowest_rate(*work, time, stop);
  const std::chrono::duration<double> took = SteadyClock::now() - began;
  const auto granted_within = Grants::of(pool).all_within_ms(grants_before);
  const auto resident_grown = resident_kib() - resident_before;
  const auto heap_grown = heap_kib() - heap_before;
  const auto operations = work->operations.load() - done_before;
  all.end();

  const auto errors = work->errors.load();
  const auto median = work->waits.quantile_ms(0.5);
  const auto ratio = work->waits.longest_ms() / median;
  const auto goal = [&](const char* text) { return goals ? text : "-"; };
  remark(fmt::format("{}: load average {} before, {} after", name, load, load_average()));
  if (errors > 0) remark("first error: " + work->first_error);
  figure(name + "_errors", std::to_string(errors), "errors", goal("0"), !goals || errors == 0);
  figure(name + "_operations",
         fmt::format("{:.0f}", static_cast<double>(operations) / took.count()), "operations/s");
  figure(name + "_operations_slowest_tenth_of_a_second", fmt::format("{:.0f}", slowest),
         "operations/s");
  figure(name + "_median_wait", fmt::format("{:.2f}", median), "ms");
  figure(name + "_p99_wait", fmt::format("{:.2f}", work->waits.quantile_ms(0.99)), "ms");
  figure(name + "_longest_wait", fmt::format("{:.2f}", work->waits.longest_ms()), "ms");
  if (granted_within > 0) {
    figure(name + "_all_granted_within", fmt::format("{:.0f}", granted_within), "ms");
  }
  figure(name + "_longest_over_median", fmt::format("{:.2f}", ratio), "times", goal("<=3"),
         !goals || ratio <= 3);
  figure(name + "_resident_growth", std::to_string(resident_grown), "KiB", goal("<=1024"),
         !goals || resident_grown <= 1024);
  figure(name + "_heap_growth", std::to_string(heap_grown), "KiB", goal("<=1024"),
         !goals || heap_grown <= 1024);
}

void measure_crowds(const pg::Conninfo& where, std::chrono::seconds time, const StopFlag& stop) {
  for (const int workers : {1'000, 10'000}) {
    {
      const auto pool = our_pool(where, 100);
      measure_crowd(fmt::format("pool_{}_workers", workers), *pool, workers, time, true, stop);
    }
    PlainPool plain(where, 100);
    measure_crowd(fmt::format("plain_{}_workers", workers), plain, workers, time, false, stop);
  }
}

int run(int count, char** arguments) {
  std::chrono::seconds time = 60s;
  if (count > 1) {
    const std::string_view text(arguments[1]);
    int seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (seconds < 1) throw Error(ExitCode::usage, "usage: bench_pool [SECONDS [PART]]");
    time = std::chrono::seconds(seconds);
  }
  const std::string_view part = count > 2 ? arguments[2] : "";
  StopFlag stop;
  const StopOnSignal signals(stop);
  const Server server(stop);
  remark(fmt::format("{} cores, load average {}", std::thread::hardware_concurrency(),
                     load_average()));
  try {
    if (part.empty() || part == "uncontended") measure_uncontended(server.where());
    if (part.empty() || part == "contended") measure_contended(server.where(), stop);
    if (part.empty() || part == "crowds") measure_crowds(server.where(), time, stop);
  } catch (const Interrupted&) {
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace pantryd::bench

int main(int count, char** arguments) {
  try {
    return pantryd::bench::run(count, arguments);
  } catch (const pantryd::Error& error) {
    fmt::print(stderr, "bench_pool: {}\n", error.what());
    if (!error.hint().empty()) fmt::print(stderr, "HINT: {}\n", error.hint());
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench_pool: {}\n", error.what());
  }
  return 1;
}
