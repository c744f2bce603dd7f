// Two hundred random sequences of faults under twenty workers who do all that borrowers do, good
// and bad. Whatever happens: nobody gets a connection that another one has, nor an answer that is
// not its own, nor an error that the fault does not explain, nobody hangs, and every connection is
// accounted for, by the pool at each moment and by the server and the gate after each sequence.
#include <gmock/gmock.h>

#include <condition_variable>
#include <cstdlib>
#include <random>

#include "tests/support/pool_chaos.h"
#include "tests/support/tcp_gate.h"

namespace pantryd {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using std::chrono::milliseconds;

constexpr int kSequences = 200;
constexpr int kWorkers = 20;
constexpr auto kName = "pool_storm";

std::uint64_t seed() {
  const char* given = std::getenv("PANTRYD_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
}

struct Deliberate : std::runtime_error {
  Deliberate() : std::runtime_error("thrown by a worker on purpose") {}
};

/// Says what went wrong first, once; a storm of failures tells no more than its first.
class Findings {
 public:
  void add(const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (first_.empty()) first_ = text;
    ++count_;
  }
  [[nodiscard]] std::string first() const {
    const std::lock_guard lock(mutex_);
    return count_ == 0 ? "" : fmt::format("{} (and {} more)", first_, count_ - 1);
  }

 private:
  mutable std::mutex mutex_;
  std::string first_;
  int count_ = 0;
};

/// Workers that can be brought to rest with nothing borrowed.
class Workers {
 public:
  Workers(Pool& pool, Findings& findings, std::uint64_t seed) : pool_(pool), findings_(findings) {
    for (int i = 0; i < kWorkers; ++i) {
      threads_.emplace_back([this, seed, i] { work(seed + static_cast<std::uint64_t>(i)); });
    }
  }
  ~Workers() {
    resume(true);
    for (auto& thread : threads_) thread.join();
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// False: one of them hangs.
  bool rest() {
    std::unique_lock lock(mutex_);
    resting_ = true;
    return changed_.wait_for(lock, kPatience, [&] { return at_rest_ == kWorkers; });
  }
  void resume(bool over = false) {
    const std::lock_guard lock(mutex_);
    resting_ = false;
    over_ = over;
    changed_.notify_all();
  }
  [[nodiscard]] std::map<std::string, int> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  using Random = std::mt19937_64;

  void work(std::uint64_t seed) {
    Random random(seed);
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        ++at_rest_;
        changed_.notify_all();
        changed_.wait(lock, [&] { return over_ || !resting_; });
        if (over_) return;
        --at_rest_;
      }
      const auto what = borrow(random);
      // Who is refused at once comes again at once, and that is nobody's work.
      if (what == "server_down") std::this_thread::sleep_for(2ms);
      const std::lock_guard lock(mutex_);
      ++seen_[what];
    }
  }

  std::string borrow(Random& random) {
    try {
      const auto limit = milliseconds(20 + random() % 280);
      auto lease = pool_.acquire(Deadline::in(limit));
      const Owned owned(*this, lease->backend_pid());
      use(*lease, random);
      return "served";
    } catch (const PoolError& error) {
      switch (error.refusal()) {
        case pool::Refusal::full:
        case pool::Refusal::deadline:
        case pool::Refusal::server_down:
          break;
        default:
          findings_.add(fmt::format("refused: {}", error.what()));
      }
      return std::string(pool::to_string(error.refusal()));
    } catch (const pg::PgError& error) {
      if (error.failure() != pg::Failure::lost && error.failure() != pg::Failure::timeout) {
        findings_.add(fmt::format("{}: {}", pg::to_string(error.failure()), error.what()));
      }
      return std::string(pg::to_string(error.failure()));
    } catch (const Deliberate&) {
      return "threw";
    } catch (const std::exception& error) {
      findings_.add(fmt::format("an error of another kind: {}", error.what()));
      return "other";
    }
  }

  void use(pg::Connection& connection, Random& random) {
    const auto limit = Deadline::in(milliseconds(100 + random() % 200));
    if (!connection.idle()) findings_.add("borrowed in a transaction");
    // Nothing of who had it before: no transaction, no answer that was meant for another one.
    const auto number = std::to_string(random());
    const auto row =
        connection.exec("SELECT $1::text, pg_backend_pid()", pg::Params::of(number), limit);
    if (row.text(0, 0) != number) findings_.add("another one's answer");
    if (row.i64(0, 1) != connection.backend_pid()) findings_.add("another one's session");
    // What the server itself says with each answer.
    if (!connection.idle()) findings_.add("inside another one's transaction");
    switch (random() % 8) {
      case 0:
        connection.exec("SELECT pg_sleep(0.02)", limit);
        break;
      case 1:
        connection.exec("BEGIN", limit);
        connection.exec("SELECT pg_sleep(0.005)", limit);
        break;  // left open
      case 2:
        try {
          connection.exec("SELECT 1/0", limit);
        } catch (const pg::PgError& error) {
          if (error.failure() != pg::Failure::statement) throw;
          if (error.sqlstate() != "22012")
            findings_.add("another one's error: " + error.sqlstate());
        }
        break;
      case 3:
        connection.exec("BEGIN", limit);
        throw Deliberate();
      case 4:
        connection.send("SELECT pg_sleep(0.01)", {});
        break;  // its answer is not read
      case 5:
        connection.exec("SELECT pg_sleep(0.2)", Deadline::in(10ms));
        break;  // ends in a timeout, and a cancel
      default:
        connection.exec("SELECT 1", limit);
    }
  }

  /// A session in one worker's hands.
  class Owned {
   public:
    Owned(Workers& workers, int pid) : workers_(workers), pid_(pid) {
      const std::lock_guard lock(workers_.mutex_);
      if (!workers_.owned_.insert(pid_).second) workers_.findings_.add("borrowed twice at a time");
    }
    ~Owned() {
      const std::lock_guard lock(workers_.mutex_);
      workers_.owned_.erase(pid_);
    }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;

   private:
    Workers& workers_;
    const int pid_;
  };

  Pool& pool_;
  Findings& findings_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int> owned_;
  std::map<std::string, int> seen_;
  int at_rest_ = 0;
  bool resting_ = true;
  bool over_ = false;
  std::vector<std::thread> threads_;
};

/// Looks all the time whether the pool's numbers add up.
class Auditor {
 public:
  Auditor(Pool& pool, Findings& findings)
      : thread_([this, &pool, &findings] {
          while (!over_) {
            const auto numbers = pool.statistics();
            if (unaccounted(numbers) != 0)
              findings.add("connections made are not those closed and held");
            const auto all = numbers.now.in_use + numbers.now.idle + numbers.now.connecting;
            if (all > numbers.size_max) findings.add("more connections than the limit");
            std::this_thread::sleep_for(1ms);
          }
        }) {}
  ~Auditor() {
    over_ = true;
    thread_.join();
  }
  Auditor(const Auditor&) = delete;
  Auditor& operator=(const Auditor&) = delete;

 private:
  std::atomic<bool> over_{false};
  std::thread thread_;
};

void run_sequence(TcpGate& gate, std::mt19937_64& random) {
  constexpr std::array kFaults{GateFault::pass, GateFault::stall, GateFault::trickle,
                               GateFault::refuse, GateFault::black_hole};
  constexpr std::array kReaches{GateReach::all, GateReach::all, GateReach::existing,
                                GateReach::fresh};
  const auto steps = 2 + random() % 5;
  for (std::uint64_t i = 0; i < steps; ++i) {
    if (random() % 5 == 0) {
      gate.cut();
    } else {
      gate.set(kFaults[random() % kFaults.size()], kReaches[random() % kReaches.size()]);
    }
    std::this_thread::sleep_for(milliseconds(5 + random() % 46));
  }
  gate.clear();
}

TEST(PoolStormTest, TwoHundredSequencesOfFaultsLeaveEveryConnectionAccountedFor) {
  const auto used = seed();
  std::cout << "PANTRYD_TEST_SEED=" << used << std::endl;
  SCOPED_TRACE(fmt::format("PANTRYD_TEST_SEED={}", used));
  TcpGate gate(shared_sandbox().port(), {.connections_max = 256, .trickle_bytes = 64});
  auto watcher = pg::Connection::connect(shared_sandbox().primary(), patience());
  PoolSettings settings;
  settings.connect.application_name = kName;
  settings.connect_timeout = 200ms;
  settings.check_timeout = 100ms;
  // Short, so that every rule has its turn.
  settings.policy = {.size_min = 2,
                     .size_max = 10,
                     .idle_timeout = 50ms,
                     .lifetime = 400ms,
                     .check_after = 20ms,
                     .backoff_first = 5ms,
                     .backoff_max = 50ms};
  Pool pool(till_at(gate.port()), settings);
  Findings findings;
  std::mt19937_64 random(used);
  const auto began = SteadyClock::now();
  {
    const Auditor auditor(pool, findings);
    Workers workers(pool, findings, used);
    for (int i = 0; i < kSequences && !testing::Test::HasFailure(); ++i) {
      SCOPED_TRACE(i);
      workers.resume();
      run_sequence(gate, random);
      ASSERT_TRUE(workers.rest()) << "somebody hangs";
      EXPECT_EQ(pool.statistics().now.in_use, 0);
      // The server learns later than we that a connection was closed.
      PoolStatistics numbers;
      std::int64_t there = 0;
      std::int64_t passing = 0;
      const bool agree = within(
          kPatience,
          [&] {
            numbers = pool.statistics();
            there = sessions_of(watcher, kName);
            passing = gate.counts().open;
            return numbers.now.connecting == 0 && there == numbers.now.idle && passing == there &&
                   pool.statistics().creates_total == numbers.creates_total;
          },
          5ms);
      EXPECT_TRUE(agree) << numbers.now.idle << " idle, " << numbers.now.connecting
                         << " being made; at the server " << there << ", in the gate " << passing;
      EXPECT_EQ(findings.first(), "");
    }
    for (const auto& [what, count] : workers.seen()) {
      std::cout << fmt::format("{} x {}\n", count, what);
    }
    EXPECT_GT(workers.seen()["served"], kSequences);
  }
  const auto numbers = pool.statistics();
  std::cout << fmt::format("{} connections made, {} not, {} ms\n", numbers.creates_total,
                           create_failures(numbers), since(began).count());
  pool.shut_down();
  EXPECT_TRUE(within(kPatience, [&] { return sessions_of(watcher, kName) == 0; }));
  EXPECT_EQ(unaccounted(pool.statistics()), 0);
}

}  // namespace
}  // namespace pantryd
