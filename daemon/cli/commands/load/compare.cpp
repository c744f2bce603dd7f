#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "cli/subcommands.h"
#include "loadgen/compare/compare.h"
#include "loadgen/compare/compare_live.h"

namespace pantryd::cli {
namespace {

constexpr std::size_t kResultBytesMax = std::size_t{256} << 20;

using Texts = std::vector<std::string>;

po::options_description compare_options() {
  const auto text = [](const char* value) {
    return po::value<std::string>()->default_value(value);
  };
  const auto texts = [] { return po::value<Texts>()->multitoken()->default_value({}, ""); };
  po::options_description options("Options");
  options.add_options()("files", texts(), "two results of load run --out: A and B")(
      "a", texts(), "several results of A; with --live its variant, such as mode=faithful")(
      "b", texts(), "several results of B; with --live its variant, such as mode=pipelined")(
      "a-windows", texts(),
      "the file of windows of each result of A, so that operations are judged")(
      "b-windows", texts(), "likewise of B")(
      "allow", texts(), "differences that may be, by name, such as mode, or all")(
      "bootstrap-seed", po::value<std::uint64_t>()->default_value(1), "of the resampling")(
      "out", text(""), "also write the comparison as JSON to this file")("live", po::bool_switch(),
                                                                         "run both now, in turn")(
      "a-dsn", text(""), "--live: the target of A, else that of --dsn or --config")(
      "b-dsn", text(""), "--live: likewise of B")("pairs", po::value<int>()->default_value(6),
                                                  "--live: runs a side")(
      "rate", text("max"), "--live: operations a second, or max")(
      "users", po::value<std::int64_t>()->default_value(0), "--live: as for load run")(
      "connections", po::value<std::int64_t>()->default_value(10), "--live: as for load run")(
      "duration", text("10s"), "--live: of each run")(
      "warmup", text("2s"), "--live: before each run")("mode", text("faithful"),
                                                       "--live: as for load run")(
      "workload", text(""), "--live: as for load run")("only", text(""), "--live: as for load run")(
      "seed", po::value<std::uint64_t>()->default_value(1), "--live: of arrivals and keys");
  return options;
}

/// The results of both sides, read and found to be of the same kind.
loadgen::Comparison compare_files(const po::variables_map& values) {
  auto a = values["a"].as<Texts>();
  auto b = values["b"].as<Texts>();
  const auto files = values["files"].as<Texts>();
  if (files.size() == 2 && a.empty() && b.empty()) {
    a = {files[0]};
    b = {files[1]};
  } else if (!files.empty() || a.empty() || b.empty()) {
    throw Error(ExitCode::usage, "two sides are needed",
                "Give two result files, or several as --a FILE... --b FILE..., or --live.");
  }
  std::vector<loadgen::ComparedRun> runs_a, runs_b;
  std::vector<std::string> differences;
  std::string first;
  const auto take = [&](const Texts& names, const std::string& windows_option,
                        std::vector<loadgen::ComparedRun>& runs) {
    const auto windows = values[windows_option].as<Texts>();
    if (!windows.empty() && windows.size() != names.size()) {
      throw Error(ExitCode::usage,
                  fmt::format("--{} needs a file for each result", windows_option));
    }
    for (const auto& name : names) {
      const auto text = read_file(name, kResultBytesMax);
      runs.push_back(loadgen::read_run(name, text));
      if (!windows.empty()) {
        const auto& file = windows[runs.size() - 1];
        loadgen::add_windows(runs.back(), file, read_file(file, kResultBytesMax));
      }
      if (first.empty()) first = text;
      for (auto& each : loadgen::run_differences(first, text)) {
        if (std::find(differences.begin(), differences.end(), each) == differences.end()) {
          differences.push_back(std::move(each));
        }
      }
    }
  };
  take(a, "a-windows", runs_a);
  take(b, "b-windows", runs_b);
  const auto allowed_list = values["allow"].as<Texts>();
  const std::set<std::string> allowed(allowed_list.begin(), allowed_list.end());
  const auto refused = loadgen::not_allowed(differences, allowed);
  if (!refused.empty()) {
    throw Error(ExitCode::usage,
                fmt::format("these runs are not alike: {}", fmt::join(refused, "; ")),
                fmt::format("Where that is what you compare, give --allow \"{}\".",
                            refused.front().substr(0, refused.front().find(':'))));
  }
  auto out = loadgen::compare_runs(runs_a, runs_b, values["bootstrap-seed"].as<std::uint64_t>());
  out.differences = std::move(differences);
  return out;
}

loadgen::LiveSide live_side(const Context& context, const po::variables_map& values,
                            const std::string& side) {
  loadgen::LiveSide out;
  const auto dsn = values[side + "-dsn"].as<std::string>();
  out.where = dsn.empty() ? target_settings(context).login() : pg::Conninfo::parse(dsn);
  auto& load = out.load;
  load.workload = loadgen::load_workload(values["workload"].as<std::string>());
  const auto only = values["only"].as<std::string>();
  if (!only.empty()) load.workload = load.workload.only(only);
  load.users = values["users"].as<std::int64_t>();
  load.connections = values["connections"].as<std::int64_t>();
  load.duration = duration_option(values, "duration");
  load.warmup = duration_option(values, "warmup");
  load.seed = values["seed"].as<std::uint64_t>();
  loadgen::apply_variant(load, "rate=" + values["rate"].as<std::string>());
  loadgen::apply_variant(load, "mode=" + values["mode"].as<std::string>());
  for (const auto& variant : values[side].as<Texts>()) loadgen::apply_variant(load, variant);
  return out;
}

loadgen::Comparison compare_now(const Context& context, const po::variables_map& values) {
  if (!values["files"].as<Texts>().empty()) {
    throw Error(ExitCode::usage, "--live takes no result files");
  }
  loadgen::LiveOptions options;
  options.pairs = values["pairs"].as<int>();
  loadgen::LiveProgress progress;
  if (context.progress) {
    progress = [&options](std::string_view side, int pair) {
      fmt::print(stderr, "pair {} of {}: {}\n", pair, options.pairs, side);
    };
  }
  return loadgen::compare_live(live_side(context, values, "a"), live_side(context, values, "b"),
                               options, progress, context.stop);
}

}  // namespace

int run_load_compare(const Context& context, const Arguments& arguments) {
  po::positional_options_description positional;
  positional.add("files", -1);
  const auto values = parse(
      "load compare A B | --a FILE... --b FILE... | --live --a VARIANT --b "
      "VARIANT",
      compare_options(), positional, arguments);
  if (!values) return 0;
  const auto comparison =
      (*values)["live"].as<bool>() ? compare_now(context, *values) : compare_files(*values);
  const auto out = (*values)["out"].as<std::string>();
  fmt::print("{}", context.json ? comparison.to_json() : comparison.to_text());
  if (!out.empty()) write_file_atomically(out, comparison.to_json());
  return 0;
}

}  // namespace pantryd::cli
