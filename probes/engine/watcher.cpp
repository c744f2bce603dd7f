// Invariants: at most one connection is open to the target, with at most one statement in flight;
// `states_` is touched by the watching thread alone, and everybody else sees copies of it.
#include "probes/engine/watcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/log.h"
#include "base/wait.h"

namespace pantryd::probes {
namespace {

using std::chrono::milliseconds;

constexpr auto kFactsLimit = std::chrono::seconds(5);
constexpr auto kReconnectPause = std::chrono::seconds(2);
/// Old values are shown for a while, with their age; then absence says it better.
constexpr int kStaleIntervals = 3;
constexpr auto kStaleMin = std::chrono::seconds(30);

/// A state, and when its probe is due.
struct Entry {
  ProbeState state;
  SteadyClock::time_point due;
  bool needs_server = true;
  std::function<ProbeRun()>
      run;  ///< called by the watching thread, with a connection if it needs one
};

}  // namespace

class Watcher::Impl {
 public:
  Impl(WatchedTarget target, std::shared_ptr<const std::vector<ProbeSpec>> specs,
       WatchOptions options, SnapshotStore& store)
      : target_(std::move(target)), specs_(std::move(specs)), options_(options), store_(store) {
    const auto now = SteadyClock::now();
    for (const auto& spec : *specs_) {
      add(spec.name, spec.interval, now).run = [this, &spec] {
        return run_on_server(spec.timeout, [&] {
          return run_probe(*connection_, spec, *facts_, options_.parameters);
        });
      };
    }
    for (const auto& probe : target_.server_probes) {
      add(probe.name, probe.interval, now).run = [this, &probe] {
        return run_on_server(probe.timeout, [&] { return run_coded(probe); });
      };
    }
    for (const auto& local : target_.local_probes) {
      auto& entry = add(local.name, local.interval, now);
      entry.needs_server = false;
      entry.run = [this, &local] { return run_local(local); };
    }
    publish();
  }

  ~Impl() {
    stop_.request();
    if (thread_.joinable()) thread_.join();
  }

  void start() {
    thread_ = std::thread([this] { watch(); });
  }

  void request_stop() { stop_.request(); }

  void run_all_once(const StopFlag* stop) {
    connect_if_needed();
    for (auto& entry : entries_) {
      if (stop != nullptr && stop->requested()) return;
      run(entry);
    }
    publish();
  }

 private:
  Entry& add(const std::string& name, milliseconds interval, SteadyClock::time_point due) {
    Entry entry;
    entry.state.name = name;
    entry.state.interval = interval;
    entry.due = due;
    entries_.push_back(std::move(entry));
    return entries_.back();
  }

  void watch() {
    while (!stop_.requested()) {
      auto& next = *std::min_element(entries_.begin(), entries_.end(),
                                     [](const auto& a, const auto& b) { return a.due < b.due; });
      if (stop_.wait(Deadline::at(next.due))) return;
      if (next.needs_server) connect_if_needed();
      run(next);
      publish();
      const auto now = SteadyClock::now();
      next.due += next.state.interval;
      // Late is late: a probe that missed its turn does not run twice to catch up.
      if (next.due < now) next.due = now + next.state.interval;
      if (!up_ && next.needs_server) next.due = std::min(next.due, now + kReconnectPause);
    }
  }

  void connect_if_needed() {
    try {
      if (!connection_ || connection_->broken()) {
        connection_.reset();
        connection_ = std::make_unique<pg::Connection>(pg::Connection::connect(
            target_.login(), Deadline::in(options_.connect_timeout), connect_options()));
        facts_ = read_facts(*connection_, Deadline::in(kFactsLimit));
        facts_at_ = SteadyClock::now();
      } else if (SteadyClock::now() - facts_at_ > kFactsLimit) {
        facts_ = read_facts(*connection_, Deadline::in(kFactsLimit));
        facts_at_ = SteadyClock::now();
      }
      if (!up_) log::info("target {}: connected", target_.name);
      up_ = true;
      down_reason_.clear();
    } catch (const Error& error) {
      note_down(error);
    }
  }

  pg::ConnectOptions connect_options() const {
    pg::ConnectOptions out;
    out.application_name = "pantryd";
    out.stop = &stop_;
    out.settings = {{"lock_timeout", fmt::format("{}ms", options_.lock_timeout.count())},
                    {"idle_in_transaction_session_timeout", "10s"},
                    {"default_transaction_read_only", "on"},
                    {"jit", "off"}};
    return out;
  }

  void note_down(const Error& error) {
    // Once an outage, not once a probe.
    if (up_ || down_reason_.empty()) log::warn("target {}: {}", target_.name, error.what());
    up_ = false;
    down_reason_ = error.what();
    connection_.reset();
    facts_.reset();
  }

  void run(Entry& entry) {
    ProbeRun result;
    if (entry.needs_server && (!up_ || !facts_)) {
      result.outcome = Outcome::error;
      result.error = down_reason_;
    } else {
      result = entry.run();
    }
    record(entry.state, std::move(result));
  }

  template <typename Run>
  ProbeRun run_on_server(milliseconds timeout, Run run) {
    // The server's own limit is the first defence; ours comes a little later.
    try {
      const auto limit_ms = fmt::format("{}ms", timeout.count());
      connection_->exec("SELECT set_config('statement_timeout', $1, false)",
                        pg::Params::of(limit_ms), Deadline::in(timeout));
    } catch (const Error& error) {
      note_down(error);
      ProbeRun failed;
      failed.outcome = Outcome::error;
      failed.error = error.what();
      return failed;
    }
    auto result = run();
    if (connection_->broken() && result.outcome != Outcome::ok) {
      note_down(Error(ExitCode::unreachable, result.error));
    }
    return result;
  }

  ProbeRun run_coded(const ServerProbe& probe) {
    ProbeRun result;
    const auto began = SteadyClock::now();
    try {
      result = probe.run(*connection_, *facts_, Deadline::in(probe.timeout));
    } catch (const pg::PgError& error) {
      result.outcome = outcome_of(error);
      result.error = error.what();
    } catch (const Error& error) {
      result.outcome = Outcome::error;
      result.error = error.what();
    }
    result.duration =
        std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began);
    return result;
  }

  ProbeRun run_local(const LocalProbe& probe) {
    const auto answer = std::make_shared<ProbeRun>();
    const auto deadline = Deadline::in(probe.timeout);
    const auto began = SteadyClock::now();
    const auto work = [answer, look = probe.run, deadline] {
      try {
        *answer = look(deadline);
      } catch (const std::exception& error) {
        answer->outcome = Outcome::error;
        answer->error = one_line(error.what());
      }
    };
    ProbeRun result;
    if (run_bounded(work, deadline, &stop_) == Ready::yes) {
      result = std::move(*answer);
    } else {
      result.outcome = Outcome::timeout;
      result.error = "no answer within the time limit";
    }
    result.duration =
        std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began);
    return result;
  }

  static void record(ProbeState& state, ProbeRun result) {
    if (result.outcome != state.outcome && result.outcome != Outcome::not_applicable &&
        !result.error.empty()) {
      log::warn("probe {}: {}: {}", state.name, to_string(result.outcome), result.error);
    }
    state.outcome = result.outcome;
    state.error = std::move(result.error);
    state.duration = result.duration;
    ++state.runs[result.outcome];
    if (result.outcome == Outcome::ok) {
      state.rows = result.rows;
      state.last_success = WallClock::now();
      state.samples = std::make_shared<const std::vector<Sample>>(std::move(result.samples));
      return;
    }
    const auto keep = std::max<WallClock::duration>(state.interval * kStaleIntervals, kStaleMin);
    const bool stale = !state.last_success || WallClock::now() - *state.last_success > keep;
    if (result.outcome == Outcome::not_applicable || stale) state.samples.reset();
  }

  void publish() {
    auto snapshot = std::make_shared<TargetSnapshot>();
    snapshot->target = target_.name;
    snapshot->up = up_;
    snapshot->down_reason = down_reason_;
    snapshot->known_role = facts_.has_value();
    if (facts_) {
      snapshot->is_standby = facts_->is_standby;
      snapshot->server_version = facts_->server_version;
    }
    for (const auto& entry : entries_) snapshot->probes.push_back(entry.state);
    store_.publish(std::move(snapshot));
  }

  const WatchedTarget target_;
  const std::shared_ptr<const std::vector<ProbeSpec>> specs_;
  const WatchOptions options_;
  SnapshotStore& store_;
  std::vector<Entry> entries_;
  std::unique_ptr<pg::Connection> connection_;
  std::optional<TargetFacts> facts_;
  SteadyClock::time_point facts_at_;
  bool up_ = false;
  std::string down_reason_;
  StopFlag stop_;
  std::thread thread_;
};

Watcher::Watcher(WatchedTarget target, std::shared_ptr<const std::vector<ProbeSpec>> specs,
                 WatchOptions options, SnapshotStore& store)
    : impl_(std::make_unique<Impl>(std::move(target), std::move(specs), options, store)) {}
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
