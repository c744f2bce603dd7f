#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "base/verdict.h"
#include "cli/subcommands.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/html.h"
#include "loadgen/report/load_forms.h"

namespace pantryd::cli {
namespace {

po::options_description load_options() {
  const auto text = [](const char* value) {
    return po::value<std::string>()->default_value(value);
  };
  po::options_description options("Options");
  options.add_options()("rate", po::value<std::string>(),
                        "operations a second (open loop), or max (closed loop over the users)")(
      "users", po::value<std::int64_t>()->default_value(0),
      "operations in work or waiting at a time; 0: as many as connections")(
      "connections", po::value<std::int64_t>()->default_value(10),
      "of the pool; else pool.max of --config, where it is given")(
      "duration", text("30s"), "of the measured part")("warmup", text("5s"), "before it")(
      "mode", text("faithful"), "faithful: a round trip a statement; pipelined: together")(
      "workload", text(""), "grocery (the default), grocery-improved, or a YAML file")(
      "only", text(""), "one operation of the workload alone")(
      "threads", po::value<std::int64_t>()->default_value(1),
      "reactors that share the connections and the arrivals")("arrivals", text("poisson"),
                                                              "poisson, or fixed: a grid")(
      "ramp", text(""),
      "in place of --rate and --duration: FROM:TO:TIME or RATE:TIME, with commas")(
      "curve", text(""), "day: a shop's day pressed into --duration, its mean open hour at --rate")(
      "windows", text(""), "write every second as a JSON line to this file, with its histograms")(
      "out", text(""), "also write the result as JSON to this file")(
      "html", text(""), "also write it as one HTML page to this file")(
      "seed", po::value<std::uint64_t>()->default_value(1), "of arrivals and keys")(
      "statement-limit", text("30s"), "a statement is cancelled after it")(
      "drain-limit", text("10s"), "for what is unfinished at the end");
  return options;
}

/// The rate, or how it moves: from --rate with or without --curve, from --ramp, or from the file.
void take_rate(const po::variables_map& values, loadgen::LoadOptions& out) {
  const auto ramp = values["ramp"].as<std::string>();
  const auto curve = values["curve"].as<std::string>();
  const bool rate = values.count("rate") > 0;
  if (!ramp.empty() && (rate || !curve.empty())) {
    throw Error(ExitCode::usage, "--ramp stands in place of --rate and --curve");
  }
  if (!curve.empty() && curve != "day") {
    throw Error(ExitCode::usage, fmt::format("--curve {} is unknown", curve), "It is day.");
  }
  if (!ramp.empty()) {
    out.plan = loadgen::parse_rate_plan(ramp);
  } else if (rate) {
    out.rate_per_s = loadgen::parse_rate("--rate", values["rate"].as<std::string>());
    if (curve.empty()) return;
    if (!out.rate_per_s || !(*out.rate_per_s > 0)) {
      throw Error(ExitCode::usage, "--curve needs a number for --rate");
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
  if (!values["duration"].defaulted()) {
    throw Error(ExitCode::usage, "--duration is given, and so is a load that has a length");
  }
}

loadgen::Arrivals arrivals_of(const std::string& text) {
  if (text == "poisson") return loadgen::Arrivals::poisson;
  if (text == "fixed") return loadgen::Arrivals::fixed;
  throw Error(ExitCode::usage, fmt::format("--arrivals {} is unknown", text),
              "It is poisson or fixed.");
}

/// The pool of the configuration, where it says something of the pool.
void take_pool(const PoolKeys& pool, const po::variables_map& values, loadgen::LoadOptions& out) {
  if (!pool.configured) return;
  out.pool = pool.to_pool_settings();
  if (values["connections"].defaulted()) out.connections = pool.max;
}

loadgen::LoadOptions read_options(const PoolKeys& pool, const po::variables_map& values) {
  loadgen::LoadOptions out;
  out.users = values["users"].as<std::int64_t>();
  out.connections = values["connections"].as<std::int64_t>();
  take_pool(pool, values, out);
  out.duration = duration_option(values, "duration");
  out.warmup = duration_option(values, "warmup");
  out.mode = loadgen::parse_mode("--mode", values["mode"].as<std::string>());
  out.seed = values["seed"].as<std::uint64_t>();
  out.statement_limit = duration_option(values, "statement-limit");
  out.drain_limit = duration_option(values, "drain-limit");
  out.workload = loadgen::load_workload(values["workload"].as<std::string>());
  const auto only = values["only"].as<std::string>();
  if (!only.empty()) out.workload = out.workload.only(only);
  out.threads = values["threads"].as<std::int64_t>();
  out.arrivals = arrivals_of(values["arrivals"].as<std::string>());
  out.windows_file = values["windows"].as<std::string>();
  take_rate(values, out);
  return out;
}

void show(const loadgen::LiveState& live) {
  fmt::print(stderr,
             "{}{:>5} s  {:>7} offered  {:>7} done  {:>5} errors  p99 {:>9.1f} ms"
             "  {:>6} waiting  {:>4} in work  {:>4} connections\n",
             live.second < 0 ? "warm-up " : "        ", live.second, live.offered, live.completed,
             live.errors, static_cast<double>(live.p99_us) / 1000, live.queued, live.running,
             live.connections);
}

}  // namespace

int run_load_run(const Context& context, const Arguments& arguments) {
  const auto values = parse("load run --rate R|max [--users U] [--connections C] [--duration T]",
                            load_options(), {}, arguments);
  if (!values) return 0;
  const auto where = target_settings(context);
  const auto options = read_options(where.pool, *values);
  const loadgen::ProgressFn progress = context.progress ? &show : loadgen::ProgressFn();
  const auto result = loadgen::run_and_judge(where.login(), options, progress, context.stop);
  const auto out = (*values)["out"].as<std::string>();
  const auto json = out.empty() && !context.json ? std::string() : to_json(result);
  // Printed first: a full disk must not cost the answer as well.
  fmt::print("{}", context.json ? json : to_text(result));
  if (!out.empty()) write_file_atomically(out, json);
  const auto html = (*values)["html"].as<std::string>();
  if (!html.empty()) write_file_atomically(html, loadgen::load_html(result));
  if (!result.windows_error.empty()) throw Error(ExitCode::failed, result.windows_error);
  return static_cast<int>(exit_code_of(result.verdict));
}

}  // namespace pantryd::cli
