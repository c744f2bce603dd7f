// The load run command: drives the workload once and prints the judged result.
#include <fmt/format.h>

#include <chrono>

#include "base/error.h"
#include "base/verdict.h"
#include "cli/command.h"
#include "cli/load_options.h"
#include "cli/write_result.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/html.h"
#include "loadgen/report/load_forms.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

std::vector<Option> run_load_options() {
  return concat(
      {{text("rate", "R|max", "",
             "operations a second (open loop), or max (closed loop over the users)")},
       size_options(),
       {duration("duration", "30s", milliseconds(1), hours(24 * 7), "length of the measured part"),
        duration("warmup", "", milliseconds(0), kNoLimit,
                 "length of the part before it; default: until service times no longer fall"),
        duration("warmup-limit", "2m", milliseconds(1000), hours(1),
                 "without --warmup: the part before it is not longer than this")},
       workload_options(),
       {count("threads", "N", "1", {1, 64}, "reactors that share the connections and the arrivals"),
        choice("arrivals", "poisson|fixed", "poisson", "random arrivals, or equal distances"),
        text("ramp", "STEPS", "",
             "in place of --rate and --duration: FROM:TO:TIME or RATE:TIME, with commas"),
        choice("curve", "day", "",
               "a shop's day within --duration; its mean opening hour has --rate"),
        duration("statement-limit", "30s", milliseconds(1), kNoLimit,
                 "a statement that takes longer is cancelled"),
        duration("drain-limit", "10s", milliseconds(0), kNoLimit,
                 "time for what is unfinished at the end"),
        text("out", "FILE", "", "also write the result as JSON"),
        text("html", "FILE", "", "also write the result as one HTML page"),
        text("windows", "FILE", "",
             "also write each second as a line of JSON, with its histograms")}});
}

/// The rate, or how it moves: from --rate with or without --curve, from --ramp, or from the file.
void take_rate(const Values& values, loadgen::LoadOptions& out) {
  const auto& ramp = values.text("ramp");
  const bool day = values.given("curve");
  const bool rate = values.given("rate");
  if (!ramp.empty() && (rate || day)) {
    throw Error(ExitCode::usage, fmt::format("--ramp conflicts with --{}", rate ? "rate" : "curve"),
                "Give either --ramp, or --rate with or without --curve.");
  }
  if (!ramp.empty()) {
    out.plan = loadgen::parse_rate_plan(ramp);
  } else if (rate) {
    out.rate_per_s = loadgen::parse_rate("--rate", values.text("rate"));
    if (!day) return;
    if (!out.rate_per_s || !(*out.rate_per_s > 0)) {
      throw Error(ExitCode::usage, "--curve needs a number for --rate",
                  "For example: --rate 100 --curve day.");
    }
    out.plan = loadgen::day_curve(*out.rate_per_s, out.duration);
    return;
  } else {
    out.plan = out.workload.load;
  }
  if (out.plan.empty()) {
    throw Error(ExitCode::usage, "--rate is missing",
                "Give operations a second, such as --rate 100, or --rate max.");
  }
  if (values.given("duration")) {
    throw Error(ExitCode::usage, "--duration conflicts with a load that defines its own length",
                "Leave --duration out, or give --rate.");
  }
}

void take_warm_up(const Values& values, loadgen::LoadOptions& out) {
  out.warm_until_steady = !values.given("warmup");
  if (out.warm_until_steady) {
    out.warmup = values.duration("warmup-limit");
  } else if (values.given("warmup-limit")) {
    throw Error(ExitCode::usage, "--warmup conflicts with --warmup-limit",
                "Give --warmup for a fixed length, or --warmup-limit for the longest.");
  } else {
    out.warmup = values.duration("warmup");
  }
}

loadgen::LoadOptions read_run_options(const PoolKeys& pool, const Values& values) {
  loadgen::LoadOptions out;
  read_load_options(values, out);
  take_pool(pool, values, out);
  out.duration = values.duration("duration");
  take_warm_up(values, out);
  out.statement_limit = values.duration("statement-limit");
  out.drain_limit = values.duration("drain-limit");
  out.threads = values.count("threads");
  out.arrivals =
      values.text("arrivals") == "fixed" ? loadgen::Arrivals::fixed : loadgen::Arrivals::poisson;
  out.windows_file = values.text("windows");
  out.count_rows = true;
  take_rate(values, out);
  return out;
}

void show_second(const loadgen::LiveState& live) {
  fmt::print(stderr,
             "{}{:>5} s  {:>7} offered  {:>7} done  {:>5} errors  p99 {:>9.1f} ms"
             "  {:>6} waiting  {:>4} running  {:>4} connections\n",
             live.second < 0 ? "warm-up " : "        ", live.second, live.offered, live.completed,
             live.errors, static_cast<double>(live.p99_us) / 1000, live.queued, live.running,
             live.connections);
}

int run_load_run(const Context& context, const Values& values) {
  const auto where = target_settings(context);
  const auto options = read_run_options(where.pool, values);
  const loadgen::ProgressFn progress = context.progress ? &show_second : loadgen::ProgressFn();
  const auto result = loadgen::run_and_judge(where.login(), options, progress, context.stop);
  const auto& out = values.text("out");
  const auto json = out.empty() && !context.json ? std::string() : to_json(result);
  // Printed first: a full disk must not cost the answer as well.
  fmt::print("{}", context.json ? json : to_text(result));
  if (!out.empty()) write_result(out, json);
  const auto& html = values.text("html");
  if (!html.empty()) write_result(html, loadgen::load_html(result));
  if (!result.windows_error.empty()) throw Error(ExitCode::unwritten, result.windows_error);
  return static_cast<int>(exit_code_of(result.verdict));
}

}  // namespace

Command load_run_command() {
  return {.name = "load run",
          .summary = "drive the grocery workload and judge its response times",
          .usage = "--rate R|max [--users N] [--connections N] [--duration TIME]",
          .options = run_load_options(),
          .examples = {"pantryd load run --dsn postgresql://127.0.0.1/shop --rate 200 --duration "
                       "1m --out load.json",
                       "pantryd load run --dsn postgresql://127.0.0.1/shop --rate max --users 100"},
          .exits = {{0, "PASS"},
                    {1, "FAIL, or the run failed"},
                    {7, "INCONCLUSIVE or INVALID"},
                    kUnreachable,
                    kUnwritten},
          .run = run_load_run};
}

}  // namespace pantryd::cli
