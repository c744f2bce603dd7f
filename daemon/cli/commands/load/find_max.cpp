#include <fmt/format.h>

#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "base/verdict.h"
#include "cli/subcommands.h"
#include "loadgen/capacity/ceiling.h"
#include "loadgen/capacity/ceiling_store.h"
#include "loadgen/report/ceiling_forms.h"

namespace pantryd::cli {
namespace {

using loadgen::Checkpoints;

po::options_description find_max_options() {
  const auto text = [](const char* value) {
    return po::value<std::string>()->default_value(value);
  };
  po::options_description options("Options");
  options.add_options()("users", po::value<std::int64_t>()->default_value(0),
                        "operations in work or waiting at a time; 0: as many as connections")(
      "connections", po::value<std::int64_t>()->default_value(10),
      "of the pool; else pool.max of --config, where it is given")(
      "mode", text("faithful"), "faithful: a round trip a statement; pipelined: together")(
      "workload", text(""), "grocery (the default), grocery-improved, or a YAML file")(
      "only", text(""), "one operation of the workload alone")(
      "slo", text(""), "p99 of every operation, in place of the workload's, such as 50ms")(
      "trial", text("5s"), "the shortest trial; those near the limit are up to eight times longer")(
      "budget", text("10m"), "of the whole search")("width", po::value<double>()->default_value(5),
                                                    "of the interval, in percent")(
      "checkpoint", text("ask"), "before each confirmation: ask for one, wait for one, or none")(
      "no-store", po::bool_switch(), "do not write the ceiling to pantryd.load_ceiling")(
      "no-anneal", po::bool_switch(), "do not look at what an overload leaves behind")(
      "seed", po::value<std::uint64_t>()->default_value(1), "of arrivals and keys")(
      "statement-limit", text("30s"), "a statement is cancelled after it")(
      "out", text(""), "also write the result as JSON to this file");
  return options;
}

Checkpoints checkpoints_of(const std::string& text) {
  for (const auto each : {Checkpoints::none, Checkpoints::ask, Checkpoints::wait}) {
    if (text == loadgen::to_string(each)) return each;
  }
  throw Error(ExitCode::usage, fmt::format("--checkpoint {} is unknown", text),
              "It is ask, wait or none.");
}

loadgen::CeilingOptions read_options(const PoolKeys& pool, const po::variables_map& values) {
  loadgen::CeilingOptions out;
  out.load.users = values["users"].as<std::int64_t>();
  out.load.connections = values["connections"].as<std::int64_t>();
  if (pool.configured) {
    out.load.pool = pool.to_pool_settings();
    if (values["connections"].defaulted()) out.load.connections = pool.max;
  }
  out.load.mode = loadgen::parse_mode("--mode", values["mode"].as<std::string>());
  out.load.seed = values["seed"].as<std::uint64_t>();
  out.load.statement_limit = duration_option(values, "statement-limit");
  out.load.workload = loadgen::load_workload(values["workload"].as<std::string>());
  out.only = values["only"].as<std::string>();
  if (!out.only.empty()) out.load.workload = out.load.workload.only(out.only);
  if (!values["slo"].as<std::string>().empty()) {
    out.slo_p99 = duration_option(values, "slo");
    if (out.slo_p99->count() < 1) throw Error(ExitCode::usage, "--slo must be above 0");
  }
  out.search.trial = duration_option(values, "trial");
  out.search.budget = duration_option(values, "budget");
  if (out.search.trial < std::chrono::seconds(1)) {
    throw Error(ExitCode::usage, "--trial must be 1s at least");
  }
  if (out.search.budget < 10 * out.search.trial) {
    throw Error(ExitCode::usage, "--budget must be ten trials at least",
                "A search takes some 20 of them, and the last ones are longer.");
  }
  const double width = values["width"].as<double>();
  if (!(width >= 1 && width <= 50)) {
    throw Error(ExitCode::usage, "--width must be from 1 to 50 percent");
  }
  out.search.width_max = width / 100;
  out.search.anneal = !values["no-anneal"].as<bool>();
  out.checkpoints = checkpoints_of(values["checkpoint"].as<std::string>());
  return out;
}

std::string rate_text(const std::optional<double>& rate) {
  return rate ? fmt::format("{:.1f}/s", *rate) : std::string("closed loop");
}

loadgen::CeilingProgress lines() {
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

}  // namespace

int run_load_find_max(const Context& context, const Arguments& arguments) {
  const auto values = parse("load find-max [--users U] [--connections C] [--budget T]",
                            find_max_options(), {}, arguments);
  if (!values) return 0;
  const auto where = target_settings(context);
  const auto options = read_options(where.pool, *values);
  const auto progress = context.progress ? lines() : loadgen::CeilingProgress();
  auto ceiling = loadgen::find_ceiling(where.login(), options, progress, context.stop);
  if (!(*values)["no-store"].as<bool>()) {
    auto problem = loadgen::store_ceiling(where.login(), ceiling);
    if (!problem.empty()) ceiling.notes.push_back(std::move(problem));
  }
  const auto out = (*values)["out"].as<std::string>();
  const auto json = out.empty() && !context.json ? std::string() : to_json(ceiling);
  // Printed first: a full disk must not cost the answer as well.
  fmt::print("{}", context.json ? json : to_text(ceiling));
  if (!out.empty()) write_file_atomically(out, json);
  return static_cast<int>(exit_code_of(ceiling.search.verdict));
}

}  // namespace pantryd::cli
