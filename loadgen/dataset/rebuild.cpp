// Invariant: a step leaves the ledger in the transaction that does it, or, where no transaction may
// be open, after it is done; those steps do no harm when they are done twice.
#include "loadgen/dataset/rebuild.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

namespace pantryd::loadgen {
namespace {

constexpr auto kSettingLimit = std::chrono::seconds(60);
constexpr auto kStepLimit = std::chrono::hours(24);  // an index over a billion rows
constexpr auto kNap = std::chrono::milliseconds(20);

RebuildStep parse(std::int64_t number, const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    RebuildStep step;
    step.number = number;
    step.stage = json.at("stage").get<int>();
    step.lane = json.at("lane").get<std::string>();
    step.what = json.at("what").get<std::string>();
    step.sql = json.at("sql").get<std::string>();
    step.tablespace = json.at("tablespace").get<std::string>();
    step.weight = json.at("weight").get<double>();
    step.alone = json.at("alone").get<bool>();
    return step;
  } catch (const nlohmann::json::exception&) {
    throw Error(ExitCode::failed, "pantryd.seed_ledger holds a step that cannot be read",
                "Its part is 'rebuild': run the statement in the column details by hand, then "
                "delete the row.");
  }
}

void prepare_session(pg::Connection& connection, const RebuildOptions& options) {
  const auto deadline = Deadline::in(kSettingLimit);
  // Zero is no limit; the deadline of each step is ours.
  connection.exec_script(
      "SET search_path = ''; SET statement_timeout = 0; SET lock_timeout = 0;"
      "SET work_mem = '64MB'; SET jit = off;"
      "SELECT set_config('max_parallel_maintenance_workers',"
      " greatest(2, current_setting('max_parallel_maintenance_workers')::int)::text, false)",
      deadline);
  if (options.memory_bytes > 0) {
    connection.exec(fmt::format("SET maintenance_work_mem = '{}kB'", options.memory_bytes / 1024),
                    deadline);
  }
}

void forget(pg::Connection& connection, const RebuildStep& step) {
  connection.exec("DELETE FROM pantryd.seed_ledger WHERE part = 'rebuild' AND chunk = $1",
                  pg::Params::of(step.number), Deadline::in(kSettingLimit));
}

void run_step(pg::Connection& connection, const RebuildStep& step) {
  const auto deadline = Deadline::in(kStepLimit);
  if (step.alone) {
    connection.exec(step.sql, deadline);
    forget(connection, step);
    return;
  }
  connection.exec("BEGIN", deadline);
  connection.exec("SELECT set_config('default_tablespace', $1, true)",
                  pg::Params::of(step.tablespace), deadline);
  connection.exec(step.sql, deadline);
  forget(connection, step);
  connection.exec("COMMIT", deadline);
}

/// The steps of one stage, handed out by weight, one of a lane at a time.
class Stage {
 public:
  Stage(std::vector<RebuildStep> steps, const RebuildOptions& options,
        const std::function<pg::Connection()>& open)
      : steps_(std::move(steps)), options_(options), open_(open) {
    std::stable_sort(steps_.begin(), steps_.end(),
                     [](const auto& a, const auto& b) { return a.weight > b.weight; });
  }

  void run(const std::function<void(double done, const std::string& what)>& tick) {
    std::set<std::string> lanes;
    for (const auto& step : steps_) lanes.insert(step.lane);
    const auto workers =
        std::min<std::size_t>(static_cast<std::size_t>(options_.jobs), lanes.size());
    running_ = static_cast<int>(workers);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < workers; ++i) threads.emplace_back([this] { work(); });
    while (running_.load() > 0) {
      std::this_thread::sleep_for(kNap);
      std::string what;
      double done = 0;
      {
        const std::lock_guard lock(mutex_);
        what = newest_;
        done = done_;
      }
      tick(done, what);
    }
    for (auto& thread : threads) thread.join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void work() {
    try {
      auto connection = open_();
      prepare_session(connection, options_);
      // Bounded: each turn takes a step, or waits for one that another worker will finish.
      while (true) {
        const auto step = take();
        if (!step) break;
        if (step->sql.empty()) {
          std::this_thread::sleep_for(kNap);
          continue;
        }
        run_step(connection, *step);
        const std::lock_guard lock(mutex_);
        busy_.erase(step->lane);
        done_ += step->weight;
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
    --running_;
  }

  /// nullopt: nothing is left, or another worker failed. Without sql: wait, the lanes are busy.
  std::optional<RebuildStep> take() {
    const std::lock_guard lock(mutex_);
    if (failure_ || steps_.empty()) return std::nullopt;
    const auto at = std::find_if(steps_.begin(), steps_.end(),
                                 [&](const auto& step) { return !busy_.contains(step.lane); });
    if (at == steps_.end()) return RebuildStep{};
    auto step = std::move(*at);
    steps_.erase(at);
    busy_.insert(step.lane);
    newest_ = step.what;
    return step;
  }

  std::mutex mutex_;
  std::vector<RebuildStep> steps_;
  std::set<std::string> busy_;
  std::string newest_;
  double done_ = 0;
  std::exception_ptr failure_;
  std::atomic<int> running_{0};
  const RebuildOptions& options_;
  const std::function<pg::Connection()>& open_;
};

}  // namespace

std::vector<RebuildStep> read_rebuild(pg::Connection& connection, Deadline deadline) {
  const auto rows = connection.exec(
      "SELECT chunk, details::text FROM pantryd.seed_ledger WHERE part = 'rebuild' ORDER BY "
      "(details->>'stage')::int, chunk",
      deadline);
  std::vector<RebuildStep> steps;
  for (int i = 0; i < rows.rows(); ++i) {
    steps.push_back(parse(rows.i64(i, 0), std::string(rows.text(i, 1))));
  }
  return steps;
}

void run_rebuild(const std::vector<RebuildStep>& steps, const RebuildOptions& options,
                 const std::function<pg::Connection()>& open, const RebuildProgress& progress) {
  double total = 0;
  for (const auto& step : steps) total += step.weight;
  double before = 0;
  for (std::size_t begin = 0; begin < steps.size();) {
    std::vector<RebuildStep> stage;
    double weight = 0;
    auto end = begin;
    for (; end < steps.size() && steps[end].stage == steps[begin].stage; ++end) {
      stage.push_back(steps[end]);
      weight += steps[end].weight;
    }
    Stage(std::move(stage), options, open).run([&](double done, const std::string& what) {
      if (progress) progress((before + done) / std::max(1.0, total), what);
    });
    before += weight;
    begin = end;
  }
}

}  // namespace pantryd::loadgen
