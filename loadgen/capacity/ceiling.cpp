// Owns the order of things: settle, checkpoint, trial, growth, report. The search decides, this
// carries out; every wait is bounded by settle_limit or by the server's checkpoint_timeout.
#include "loadgen/capacity/ceiling.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "loadgen/judge/backlog.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/null/null_server.h"
#include "pg/connection.h"
#include "pg/sqlstate.h"

namespace pantryd::loadgen {
namespace {

using std::chrono::milliseconds;

constexpr auto kQueryLimit = std::chrono::seconds(10);
constexpr auto kCheckpointLimit = std::chrono::minutes(10);
constexpr auto kCheckpointGrace = std::chrono::seconds(30);
constexpr auto kLook = milliseconds(200);
constexpr auto kLockLimit = milliseconds(100);
constexpr auto kWarmupMin = milliseconds(500);
constexpr auto kWarmupMax = milliseconds(5'000);
constexpr auto kDrainMin = milliseconds(3'000);
constexpr double kRareShare = 0.03;     // as in verdict.cpp: may stay unproven
constexpr double kSamplesForP99 = 450;  // none of them late: less than 1 % with 95 % confidence
constexpr double kSamplesMax = 4'000;
constexpr const char* kControlName = "pantryd-find-max";
constexpr int kServer17 = 170000;

/// The connection beside the load: looks at the server between trials. What it cannot find out is
/// no reason to end the search.
class Control {
 public:
  Control(const pg::Conninfo& where, const StopFlag* stop)
      : where_(where.with("application_name", kControlName)), stop_(stop) {}

  void settle(milliseconds limit, std::vector<std::string>& notes) {
    const auto deadline = Deadline::in(limit);
    for (;;) {
      const auto busy = number(
          "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pantryd-load%' AND "
          "datname = current_database()");
      if (!busy || *busy == 0) return;
      if (deadline.expired()) {
        note(notes,
             "Sessions of a load were still there when a trial began: another load, or statements "
             "that do not end.");
        return;
      }
      if (rest()) return;
    }
  }

  [[nodiscard]] std::int64_t size_bytes() {
    return number("SELECT pg_database_size(current_database())").value_or(-1);
  }

  /// Of this database, since its statistics began; -1: not known.
  [[nodiscard]] std::int64_t transactions() {
    return number(
               "SELECT xact_commit + xact_rollback FROM pg_stat_database "
               "WHERE datname = current_database()")
        .value_or(-1);
  }

  [[nodiscard]] std::int64_t checkpoints() {
    if (!connected()) return 0;
    return number(connection_->server_version() >= kServer17
                      ? "SELECT num_timed + num_requested FROM pg_stat_checkpointer"
                      : "SELECT checkpoints_timed + checkpoints_req FROM pg_stat_bgwriter")
        .value_or(0);
  }

  /// False: our role may not.
  bool ask_checkpoint(std::vector<std::string>& notes) {
    if (!connected()) return true;
    try {
      connection_->exec("CHECKPOINT", Deadline::in(kCheckpointLimit));
      return true;
    } catch (const pg::PgError& error) {
      if (error.failure() == pg::Failure::stopped) return true;
      note(notes, fmt::format("No checkpoint was asked for: {}.", error.what()));
      return false;
    }
  }

  void wait_checkpoint(std::int64_t above, std::vector<std::string>& notes) {
    const auto seconds =
        number("SELECT setting::bigint FROM pg_settings WHERE name = 'checkpoint_timeout'");
    const auto deadline =
        Deadline::in(std::chrono::seconds(seconds.value_or(300)) + kCheckpointGrace);
    while (checkpoints() <= above) {
      if (deadline.expired()) {
        note(notes, "No checkpoint came before a confirmation.");
        return;
      }
      if (rest()) return;
    }
  }

 private:
  static void note(std::vector<std::string>& notes, std::string text) {
    if (std::find(notes.begin(), notes.end(), text) == notes.end()) {
      notes.push_back(std::move(text));
    }
  }
  [[nodiscard]] bool rest() const {
    static const StopFlag never;
    return (stop_ != nullptr ? *stop_ : never).wait(Deadline::in(kLook));
  }
  [[nodiscard]] bool connected() {
    if (connection_ && !connection_->broken()) return true;
    try {
      const auto options = pg::watching_session(kControlName, kLockLimit, stop_);
      connection_.emplace(pg::Connection::connect(where_, Deadline::in(kQueryLimit), options));
      return true;
    } catch (const pg::PgError&) {
      return false;
    }
  }
  [[nodiscard]] std::optional<std::int64_t> number(const std::string& sql) {
    if (!connected()) return std::nullopt;
    try {
      return connection_->exec(sql, Deadline::in(kQueryLimit)).i64(0, 0);
    } catch (const Error&) {
      return std::nullopt;
    }
  }

  const pg::Conninfo where_;
  const StopFlag* stop_;
  std::optional<pg::Connection> connection_;
};

void take_slo(CeilingOptions& options) {
  auto& operations = options.load.workload.operations;
  if (options.slo_p99) {
    for (auto& operation : operations) operation.slo_p99 = options.slo_p99;
  }
  const bool any = std::any_of(operations.begin(), operations.end(),
                               [](const Operation& each) { return each.slo_p99.has_value(); });
  if (!any) {
    throw Error(ExitCode::usage, "no operation of the workload has an SLO, so every rate would do",
                "Give --slo, such as --slo 50ms, or slo: {p99: 50ms} in the workload.");
  }
}

/// So many arrivals that the rarest operation which is judged gets enough of them.
std::int64_t samples_needed(const Workload& workload) {
  double sum = 0;
  for (const auto& each : workload.operations) sum += each.weight;
  double least = 1;
  for (const auto& each : workload.operations) {
    const double share = sum > 0 ? each.weight / sum : 0;
    if (each.slo_p99 && share >= kRareShare) least = std::min(least, share);
  }
  return std::llround(std::min(kSamplesForP99 / least, kSamplesMax));
}

milliseconds longest_slo(const Workload& workload) {
  std::chrono::microseconds longest{0};
  for (const auto& each : workload.operations) {
    longest = std::max(longest, each.slo_p99.value_or(std::chrono::microseconds(0)));
  }
  return std::chrono::ceil<milliseconds>(longest);
}

/// What limited the run; empty where nothing stands out.
std::string bottleneck_of(const LoadResult& result) {
  return result.bottleneck.name == "none" ? std::string() : result.bottleneck.text;
}

LoadOptions load_options(const CeilingOptions& options, const Trial& trial, std::size_t number) {
  auto out = options.load;
  out.rate_per_s = trial.rate_per_s;
  out.duration = trial.duration;
  out.warmup = std::clamp<milliseconds>(trial.duration / 5, kWarmupMin, kWarmupMax);
  out.drain_limit = std::min<milliseconds>(
      out.drain_limit, std::max<milliseconds>(kDrainMin, 2 * longest_slo(out.workload)));
  // Other arrivals in every trial: what one schedule happens to hold must not decide.
  out.seed = options.load.seed + number;
  if (!trial.rate_per_s) out.users = out.connections;
  if (trial.null_target) {
    out.workload = null_workload(out.workload);
    out.pool.reset();
    out.evidence = false;  // there is no server to look at
  }
  return out;
}

milliseconds since(SteadyClock::time_point began) {
  return std::chrono::duration_cast<milliseconds>(SteadyClock::now() - began);
}

std::string now_text() {
  const auto wall = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", wall);
}

}  // namespace

std::string_view to_string(Checkpoints checkpoints) {
  switch (checkpoints) {
    case Checkpoints::none:
      return "none";
    case Checkpoints::ask:
      return "ask";
    case Checkpoints::wait:
      return "wait";
  }
  return "?";
}

TrialOutcome outcome_of(const LoadResult& result) {
  TrialOutcome out;
  out.verdict = result.verdict;
  out.completed_per_s = result.completed_per_s();
  out.stopped = result.stopped;
  Histogram all;
  for (const auto& each : result.operations) all.merge(each.totals.response);
  out.p99_us = all.quantile_us(0.99);
  if (!result.reasons.empty()) out.reason = result.reasons.front();
  out.bottleneck = bottleneck_of(result);
  const bool proven = out.verdict == Verdict::fail || out.verdict == Verdict::invalid;
  if (!proven && result.options.rate_per_s && backlog_grows(result)) {
    out.verdict = Verdict::fail;
    out.reason = "More and more operations waited: the rate is above what the server carries.";
  } else if (result.only_rare_unproven) {
    out.verdict = Verdict::pass;  // a trial is too short for them, and none of them missed
  }
  return out;
}

namespace {

/// None: a person ended it before it began.
std::optional<LoadResult> run_trial(const pg::Conninfo& where, const LoadOptions& load,
                                    const StopFlag* stop) {
  try {
    return run_and_judge(where, load, {}, stop);
  } catch (const Error&) {
    if (stop != nullptr && stop->requested()) return std::nullopt;
    throw;
  }
}

/// Transactions against operations, over the confirmations.
class Transactions {
 public:
  void begin(Control& control) { before_ = control.transactions(); }
  void end(Control& control, const LoadResult& result) {
    const auto after = control.transactions();
    if (before_ < 0 || after < before_) return;
    transactions_ += static_cast<double>(after - before_);
    operations_ += static_cast<double>(result.completed() + result.refused() +
                                       result.totals.warmup_operations);
  }
  [[nodiscard]] std::optional<double> per_operation() const {
    if (operations_ <= 0) return std::nullopt;
    return transactions_ / operations_;
  }

 private:
  std::int64_t before_ = -1;
  double transactions_ = 0, operations_ = 0;
};

}  // namespace

Ceiling find_ceiling(const pg::Conninfo& where, const CeilingOptions& options,
                     const CeilingProgress& progress, const StopFlag* stop) {
  Ceiling out;
  out.options = options;
  out.options.load.workload = options.load.workload.without_idle();
  take_slo(out.options);
  if (out.options.load.users == 0) out.options.load.users = options.load.connections;
  out.options.search.samples_min = samples_needed(out.options.load.workload);
  out.target = where.display();
  out.started_at = now_text();
  const auto began = SteadyClock::now();
  // Throws here, and not after the calibration, when there is no server.
  (void)pg::Connection::connect(where, Deadline::in(kQueryLimit));
  Control control(where, stop);
  out.growth.before_bytes = control.size_bytes();
  const NullServer null_server;
  FindMax search(out.options.search);
  Transactions transactions;
  auto checkpoints = options.checkpoints;
  std::optional<std::int64_t> first_checkpoint;
  while (const auto trial = search.next_trial()) {
    const auto number = out.growth.after_bytes.size() + 1;
    if (progress.begins) progress.begins(*trial, number);
    const auto trial_began = SteadyClock::now();
    if (!trial->null_target) control.settle(options.settle_limit, out.notes);
    if (trial->purpose == Purpose::confirm) {
      if (!first_checkpoint) first_checkpoint = control.checkpoints();
      if (checkpoints == Checkpoints::ask && !control.ask_checkpoint(out.notes)) {
        checkpoints = Checkpoints::none;
      }
      if (checkpoints == Checkpoints::wait) {
        control.wait_checkpoint(*first_checkpoint + search.result().confirmed, out.notes);
      }
    }
    const bool counts = trial->purpose == Purpose::confirm;
    if (counts) transactions.begin(control);
    const auto result = run_trial(trial->null_target ? null_server.where() : where,
                                  load_options(out.options, *trial, number), stop);
    TrialOutcome outcome;
    outcome.stopped = true;
    if (result) {
      outcome = outcome_of(*result);
      if (!trial->null_target) {
        out.server_version = result->server_version;
        out.dataset = result->dataset;
      }
      // Sessions report their last counts when they end.
      if (counts) control.settle(options.settle_limit, out.notes);
      if (counts) transactions.end(control, *result);
    }
    outcome.taken = since(trial_began);
    out.growth.after_bytes.push_back(control.size_bytes());
    search.report(outcome);
    if (progress.ended) progress.ended({*trial, outcome});
  }
  if (first_checkpoint) out.checkpoints_seen = control.checkpoints() - *first_checkpoint;
  out.transactions_per_operation = transactions.per_operation();
  out.search = search.result();
  out.taken_s = std::chrono::duration<double>(SteadyClock::now() - began).count();
  return out;
}

}  // namespace pantryd::loadgen
