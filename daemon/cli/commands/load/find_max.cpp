// The load find-max command: searches the highest rate at which the response times hold.
#include <fmt/format.h>

#include <chrono>

#include "base/error.h"
#include "base/units.h"
#include "base/verdict.h"
#include "cli/command.h"
#include "cli/load_options.h"
#include "cli/write_result.h"
#include "loadgen/capacity/ceiling.h"
#include "loadgen/capacity/ceiling_store.h"
#include "loadgen/report/ceiling_forms.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

using loadgen::Checkpoints;
using std::chrono::milliseconds;
using std::chrono::seconds;

std::vector<Option> find_max_options() {
  return concat(
      {size_options(),
       workload_options(),
       {duration("slo", "", milliseconds(1), kNoLimit,
                 "p99 limit of every operation, in place of the workload's limits"),
        duration("trial", "5s", seconds(1), kNoLimit,
                 "length of the shortest trial; those near the limit take up to eight times as "
                 "long"),
        duration("budget", "10m", seconds(10), kNoLimit, "time for the whole search"),
        number("width", "PERCENT", "5", {1, 50}, "width of the interval to reach"),
        choice("checkpoint", "ask|wait|none", "ask",
               "before each confirmation: request a checkpoint, wait for one, or neither"),
        flag("no-store", "do not write the ceiling to the table pantryd.load_ceiling"),
        flag("no-anneal", "do not check what an overload leaves behind"),
        duration("statement-limit", "30s", milliseconds(1), kNoLimit,
                 "a statement that takes longer is cancelled"),
        text("out", "FILE", "", "also write the result as JSON")}});
}

Checkpoints checkpoints_of(const std::string& text) {
  for (const auto each : {Checkpoints::none, Checkpoints::wait}) {
    if (text == loadgen::to_string(each)) return each;
  }
  return Checkpoints::ask;
}

loadgen::CeilingOptions read_find_max_options(const PoolKeys& pool, const Values& values) {
  loadgen::CeilingOptions out;
  read_load_options(values, out.load);
  take_pool(pool, values, out.load);
  out.only = values.text("only");
  out.load.statement_limit = values.duration("statement-limit");
  if (values.given("slo")) out.slo_p99 = values.duration("slo");
  out.search.trial = values.duration("trial");
  out.search.budget = values.duration("budget");
  if (out.search.budget < 10 * out.search.trial) {
    throw Error(ExitCode::usage, "--budget is shorter than ten trials",
                "A search takes some 20 trials, and the last ones are longer.");
  }
  out.search.width_max = values.number("width") / 100;
  out.search.anneal = !values.flag("no-anneal");
  out.checkpoints = checkpoints_of(values.text("checkpoint"));
  return out;
}

std::string rate_text(const std::optional<double>& rate) {
  return rate ? fmt::format("{:.1f}/s", *rate) : std::string("closed loop");
}

loadgen::CeilingProgress progress_lines() {
  loadgen::CeilingProgress out;
  out.begins = [](const loadgen::Trial& trial, std::size_t number) {
    fmt::print(stderr, "{:>3}  {:<10}{:>12}  {:>7}{}", number, loadgen::to_string(trial.purpose),
               rate_text(trial.rate_per_s), format_duration(trial.duration),
               trial.null_target ? "  against nothing" : "");
    std::fflush(stderr);
  };
  out.ended = [](const loadgen::SearchPoint& point) {
    const auto& outcome = point.outcome;
    fmt::print(stderr, "  {:<13}{:>9.1f}/s done  p99 {:>9.1f} ms\n",
               point.trial.rate_per_s ? to_string(outcome.verdict) : "", outcome.completed_per_s,
               static_cast<double>(outcome.p99_us) / 1000);
  };
  return out;
}

int run_load_find_max(const Context& context, const Values& values) {
  const auto where = target_settings(context);
  const auto options = read_find_max_options(where.pool, values);
  const auto progress = context.progress ? progress_lines() : loadgen::CeilingProgress();
  auto ceiling = loadgen::find_ceiling(where.login(), options, progress, context.stop);
  if (!values.flag("no-store")) {
    auto problem = loadgen::store_ceiling(where.login(), ceiling);
    if (!problem.empty()) ceiling.notes.push_back(std::move(problem));
  }
  const auto& out = values.text("out");
  const auto json = out.empty() && !context.json ? std::string() : to_json(ceiling);
  // Printed first: a full disk must not cost the answer as well.
  fmt::print("{}", context.json ? json : to_text(ceiling));
  if (!out.empty()) write_result(out, json);
  return static_cast<int>(exit_code_of(ceiling.search.verdict));
}

}  // namespace

Command load_find_max_command() {
  return {.name = "load find-max",
          .summary = "find the highest rate at which the response times hold",
          .usage = "[--users N] [--connections N] [--budget TIME]",
          .options = find_max_options(),
          .examples = {"pantryd load find-max --dsn postgresql://127.0.0.1/shop --connections 20 "
                       "--budget 10m"},
          .exits = {{0, "PASS"},
                    {1, "FAIL, or the search failed"},
                    {7, "INCONCLUSIVE or INVALID"},
                    kUnreachable,
                    kUnwritten},
          .run = run_load_find_max};
}

}  // namespace pantryd::cli
