// Invariants, under mutex_: those of the agenda; an entry that is running belongs to the thread
// that took it. Nothing that can block happens under mutex_.
#include "probes/engine/watcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "probes/engine/agenda.h"
#include "probes/engine/probe_state.h"
#include "probes/engine/relation_share.h"
#include "probes/engine/visitor.h"

namespace pantryd::probes {
namespace {

using std::chrono::milliseconds;

constexpr int kClusterThreads = 2;
constexpr auto kFactsLimit = std::chrono::seconds(5);
constexpr auto kReconnectPause = std::chrono::seconds(2);
constexpr auto kDiscovery = std::chrono::seconds(60);
/// A thread looks at least so often for what became due.
constexpr auto kNap = std::chrono::seconds(1);

using Facts = std::shared_ptr<const TargetFacts>;

}  // namespace

class Watcher::Impl {
 public:
  Impl(WatchedTarget target, std::shared_ptr<const std::vector<ProbeSpec>> specs,
       WatchOptions options, SnapshotStore& store)
      : target_(std::move(target)),
        specs_(std::move(specs)),
        options_(std::move(options)),
        store_(store),
        pool_(target_.login, pool_settings()),
        visitor_(target_.login, connect_options(), options_.connect_timeout, kFactsLimit) {
    if (target_.before) {
      up_ = target_.before->up;
      down_reason_ = target_.before->down_reason;
    }
    run_options_.target = target_.name;
    run_options_.parameters = options_.parameters;
    run_options_.with_samples = options_.with_samples;
    for (const auto& spec : *specs_) {
      if (spec.scope == Scope::cluster) add_spec(spec, "");
    }
    for (const auto& probe : target_.server_probes) {
      add(Lane::cluster, probe.name, "", probe.interval).run =
          [this, &probe](pg::Connection* connection, const TargetFacts& facts) {
            return run_server_probe(probe, *connection, facts);
          };
    }
    for (const auto& local : target_.local_probes) {
      add(Lane::local, local.name, "", local.interval).run = [this, &local](pg::Connection*,
                                                                            const TargetFacts&) {
        return run_local_probe(local, stop_);
      };
    }
    adopt_databases();
    target_.before.reset();
    publish();
  }

  ~Impl() {
    stop_.request();
    for (auto& thread : threads_) thread.join();
  }

  void start() {
    for (int i = 0; i < kClusterThreads; ++i) threads_.emplace_back([this] { watch_cluster(); });
    if (visits_databases()) threads_.emplace_back([this] { watch_databases(); });
    if (!target_.local_probes.empty()) threads_.emplace_back([this] { watch_local(); });
  }

  void request_stop() { stop_.request(); }

  void run_all_once(const StopFlag* stop) {
    const auto stopped = [&] { return stop != nullptr && stop->requested(); };
    while (auto* entry = stopped() ? nullptr : take_unrun(Lane::cluster)) {
      run_on_cluster(*entry);
      publish();  // one probe may look at what another one told
    }
    if (visits_databases() && !stopped()) {
      discover();
      while (auto* entry = stopped() ? nullptr : take_unrun(Lane::database))
        run_in_database(*entry);
    }
    while (auto* entry = stopped() ? nullptr : take_unrun(Lane::local)) {
      finish(*entry, entry->run(nullptr, {}));
    }
    publish();
  }

 private:
  PoolSettings pool_settings() {
    PoolSettings out;
    out.policy.size_max = kClusterThreads;
    out.policy.connects_max = 1;
    out.policy.idle_timeout = std::chrono::minutes(10);
    out.policy.check_after = std::chrono::minutes(10);
    out.policy.backoff_first = milliseconds(500);
    out.policy.backoff_max = kReconnectPause;
    out.policy.breaker_failures = 1;
    out.acquire_timeout = options_.connect_timeout;
    out.connect_timeout = options_.connect_timeout;
    out.leak_after = std::chrono::minutes(2);
    out.reset = pg::Reset::never;  // probes change nothing in their session
    out.connect = connect_options();
    return out;
  }

  pg::ConnectOptions connect_options() const {
    return guarded_session(options_.lock_timeout, &stop_);
  }

  bool visits_databases() const {
    return std::any_of(specs_->begin(), specs_->end(),
                       [](const auto& spec) { return spec.scope == Scope::database; });
  }

  Entry& add(Lane lane, const std::string& name, const std::string& database,
             milliseconds interval) {
    return agenda_.add(lane, name, database, interval, state_before(name, database),
                       SteadyClock::now());
  }

  const ProbeState* state_before(const std::string& name, const std::string& database) const {
    if (!target_.before) return nullptr;
    for (const auto& state : target_.before->probes) {
      if (state->name == name && state->database == database) return state.get();
    }
    return nullptr;
  }

  /// Those that were visited before; the next discovery tells which of them are still there.
  void adopt_databases() {
    if (!target_.before) return;
    for (const auto& state : target_.before->probes) {
      if (state->database.empty()) continue;
      for (const auto& spec : *specs_) {
        if (spec.scope == Scope::database && spec.name == state->name) {
          add_spec(spec, state->database);
        }
      }
    }
  }

  void add_spec(const ProbeSpec& spec, const std::string& database) {
    auto& entry = add(spec.scope == Scope::cluster ? Lane::cluster : Lane::database, spec.name,
                      database, spec.interval);
    entry.memory = std::make_unique<ProbeMemory>(spec);
    entry.spec = &spec;
    auto options = run_options_;
    options.database = database;
    if (spec.scope == Scope::database) options.share = &share_;
    entry.run = [&spec, options, memory = entry.memory.get()](pg::Connection* connection,
                                                              const TargetFacts& facts) {
      return run_probe(*connection, spec, facts, options, *memory);
    };
  }

  // --- whose turn it is

  Entry* take_due(Lane lane, const std::string& database, SteadyClock::time_point& next) {
    const std::lock_guard lock(mutex_);
    return agenda_.take_due(lane, database, SteadyClock::now(), kNap, next);
  }

  Entry* take_unrun(Lane lane) {
    const std::lock_guard lock(mutex_);
    return agenda_.take_unrun(lane);
  }

  void watch_cluster() {
    SteadyClock::time_point next;
    while (!stop_.requested()) {
      if (auto* entry = take_due(Lane::cluster, "", next)) {
        run_on_cluster(*entry);
        publish();
      } else if (stop_.wait(Deadline::at(next))) {
        return;
      }
    }
  }

  void watch_databases() {
    SteadyClock::time_point next;
    auto look_again = SteadyClock::now();
    while (!stop_.requested()) {
      if (SteadyClock::now() >= look_again) {
        look_again = SteadyClock::now() + (discover() ? kDiscovery : kReconnectPause);
      }
      if (auto* entry = take_due(Lane::database, visitor_.database(), next)) {
        run_in_database(*entry);
        publish();
      } else if (stop_.wait(Deadline::at(std::min(next, look_again)))) {
        return;
      }
    }
  }

  void watch_local() {
    SteadyClock::time_point next;
    while (!stop_.requested()) {
      if (auto* entry = take_due(Lane::local, "", next)) {
        finish(*entry, entry->run(nullptr, {}));
        publish();
      } else if (stop_.wait(Deadline::at(next))) {
        return;
      }
    }
  }

  // --- runs

  void run_on_cluster(Entry& entry) {
    ProbeRun result;
    try {
      auto lease = pool_.acquire(Deadline::in(options_.connect_timeout), &stop_);
      const auto facts = facts_of(*lease);
      note_up();
      result = entry.run(&*lease, *facts);
      if (entry.spec != nullptr) note_rights(entry, *facts);
    } catch (const Error& error) {
      if (!stop_.requested()) note_down(error);
      result = failed_run(error.what());
    }
    finish(entry, std::move(result));
  }

  Facts facts_of(pg::Connection& connection) {
    const auto now = SteadyClock::now();
    {
      const std::lock_guard lock(mutex_);
      if (facts_ && now - facts_at_ < kFactsLimit) return facts_;
    }
    auto facts =
        std::make_shared<const TargetFacts>(read_facts(connection, Deadline::in(kFactsLimit)));
    const std::lock_guard lock(mutex_);
    facts_ = facts;
    facts_at_ = now;
    return facts;
  }

  void run_in_database(Entry& entry) {
    ProbeRun result;
    try {
      auto& connection = visitor_.visit(entry.database);
      result = entry.run(&connection, visitor_.facts());
      note_rights(entry, visitor_.facts());
    } catch (const Error& error) {
      visitor_.leave();
      result = failed_run(error.what());
    }
    finish(entry, std::move(result));
  }

  // --- what came of it

  void note_up() {
    const std::lock_guard lock(mutex_);
    if (up_) return;
    log::info("target {}: connected", target_.name);
    up_ = true;
    down_reason_.clear();
    // What failed while nobody answered says nothing of the probes: all are asked at once.
    agenda_.hurry(SteadyClock::now());
  }

  void note_down(const Error& error) {
    const std::lock_guard lock(mutex_);
    // Once an outage, not once a probe.
    if (up_ || down_reason_.empty()) log::warn("target {}: {}", target_.name, error.in_one_line());
    up_ = false;
    down_reason_ = error.what();
    facts_.reset();
  }

  void note_rights(Entry& entry, const TargetFacts& facts) {
    auto missing = missing_rights(*entry.spec, facts);
    if (missing == entry.state->missing_rights) return;
    auto state = std::make_shared<ProbeState>(*entry.state);
    state->missing_rights = std::move(missing);
    const std::lock_guard lock(mutex_);
    entry.state = std::move(state);
  }

  void finish(Entry& entry, ProbeRun result) {
    write_samples(result, target_.name);
    if (!options_.with_samples) result.samples.clear();
    auto state = next_state(*entry.state, std::move(result));
    entry.timeouts = state->outcome == Outcome::timeout ? entry.timeouts + 1 : 0;
    state->interval =
        entry.lane == Lane::local
            ? entry.interval
            : next_interval(entry.interval, state->duration, entry.timeouts, options_.busy_share);
    const std::lock_guard lock(mutex_);
    const auto now = SteadyClock::now();
    agenda_.give_back(entry, std::move(state), now);
    if (!up_ && entry.lane == Lane::cluster) entry.due = std::min(entry.due, now + kReconnectPause);
  }

  // --- databases

  /// False when the server could not be asked.
  bool discover() {
    Databases found;
    try {
      auto lease = pool_.acquire(Deadline::in(options_.connect_timeout), &stop_);
      found = databases_to_visit(*lease, options_.include, options_.exclude, options_.databases_max,
                                 Deadline::in(kFactsLimit));
    } catch (const Error&) {
      return false;  // the probes of the cluster tell why
    }
    expect_relations(share_, visitor_, found.names, stop_);
    const std::lock_guard lock(mutex_);
    // Only the thread that calls this runs entries of this lane, and it runs none now.
    note_databases(found.counts);
    agenda_.keep_databases(found.names);
    for (const auto& name : found.names) {
      for (const auto& spec : *specs_) {
        if (spec.scope == Scope::database && !agenda_.has(spec, name)) add_spec(spec, name);
      }
    }
    return true;
  }

  void note_databases(const DatabaseCounts& counts) {
    const auto before = databases_ ? databases_->over_limit : 0;
    if (counts.over_limit > 0 && counts.over_limit != before) {
      log::warn("target {}: {} databases are not visited: probes.databases_max is {}", target_.name,
                counts.over_limit, options_.databases_max);
    }
    databases_ = counts;
  }

  void publish() {
    auto snapshot = std::make_shared<TargetSnapshot>();
    snapshot->target = target_.name;
    snapshot->pool = pool_.statistics();
    {
      const std::lock_guard lock(mutex_);
      snapshot->up = up_;
      snapshot->down_reason = down_reason_;
      snapshot->known_role = facts_ != nullptr;
      if (facts_) {
        snapshot->is_standby = facts_->is_standby;
        snapshot->server_version = facts_->server_version;
      }
      snapshot->databases = databases_;
      snapshot->probes = agenda_.states();
      // Under the mutex, so that an older snapshot never follows a newer one.
      store_.publish(std::move(snapshot));
    }
  }

  WatchedTarget target_;  ///< as it was given, but that `before` is let go once it is taken over
  const std::shared_ptr<const std::vector<ProbeSpec>> specs_;
  const WatchOptions options_;
  SnapshotStore& store_;
  StopFlag stop_;
  Pool pool_;
  RunOptions run_options_;
  mutable std::mutex mutex_;
  Agenda agenda_;
  Facts facts_;
  SteadyClock::time_point facts_at_;
  bool up_ = false;
  std::string down_reason_;
  std::optional<DatabaseCounts> databases_;
  // Of the thread that goes through the databases, alone:
  RelationShare share_;
  Visitor visitor_;
  std::vector<std::thread> threads_;
};

Watcher::Watcher(WatchedTarget target, std::shared_ptr<const std::vector<ProbeSpec>> specs,
                 WatchOptions options, SnapshotStore& store)
    : impl_(
          std::make_unique<Impl>(std::move(target), std::move(specs), std::move(options), store)) {}
Watcher::~Watcher() = default;
void Watcher::start() {
  impl_->start();
}
void Watcher::request_stop() {
  impl_->request_stop();
}
void Watcher::run_all_once(const StopFlag* stop) {
  impl_->run_all_once(stop);
}

}  // namespace pantryd::probes
