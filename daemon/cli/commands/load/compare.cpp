// The load compare command: compares the results of two sides, or runs both sides in turn first.
// Invariant: runs that differ in more than what --allow names are refused.
#include "loadgen/compare/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/load_options.h"
#include "cli/write_result.h"
#include "loadgen/compare/compare_live.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

constexpr std::size_t kResultBytesMax = std::size_t{256} << 20;

using std::chrono::hours;
using std::chrono::milliseconds;

std::vector<Option> compare_options() {
  return concat(
      {{arguments("files", "FILE", "two results that load run --out wrote: A and B"),
        texts("a", "FILE", "several results of A; with --live its variant, such as mode=faithful"),
        texts("b", "FILE", "several results of B; with --live its variant, such as mode=pipelined"),
        texts("a-windows", "FILE",
              "the --windows file of each result of A; with both, operations are compared"),
        texts("b-windows", "FILE", "the --windows file of each result of B"),
        texts("allow", "NAME", "differences that are allowed, such as mode; or all"),
        count("bootstrap-seed", "S", "1", {}, "seed of the resampling"),
        text("out", "FILE", "", "also write the comparison as JSON"),
        flag("live", "run both sides now, in turn; the options below are for these runs"),
        text("a-dsn", "CONNINFO", "", "server of A; default: --dsn, or the configuration's"),
        text("b-dsn", "CONNINFO", "", "server of B; default: --dsn, or the configuration's"),
        count("pairs", "N", "6", {2, 100}, "runs of each side"),
        text("rate", "R|max", "max", "operations a second, or as many as the users can do"),
        duration("duration", "10s", milliseconds(1), hours(24 * 7), "length of each run"),
        duration("warmup", "2s", milliseconds(0), kNoLimit, "length of the part before it")},
       size_options(),
       workload_options()});
}

/// The results that the command line names, read in order.
class ResultReader {
 public:
  /// Reads one side's results, with their windows if any are named.
  std::vector<loadgen::ComparedRun> read(const std::vector<std::string>& names,
                                         const std::vector<std::string>& windows,
                                         const char* windows_option) {
    if (!windows.empty() && windows.size() != names.size()) {
      throw Error(ExitCode::usage, fmt::format("--{} needs a file for each result", windows_option),
                  fmt::format("Give {} files, in the order of the results.", names.size()));
    }
    std::vector<loadgen::ComparedRun> runs;
    for (const auto& name : names) {
      const auto text = read_file(name, kResultBytesMax);
      runs.push_back(loadgen::read_run(name, text));
      if (!windows.empty()) {
        const auto& file = windows[runs.size() - 1];
        loadgen::add_windows(runs.back(), file, read_file(file, kResultBytesMax));
      }
      note_differences(text);
    }
    return runs;
  }

  [[nodiscard]] const std::vector<std::string>& differences() const { return differences_; }

 private:
  void note_differences(const std::string& text) {
    if (first_.empty()) first_ = text;
    for (auto& each : loadgen::run_differences(first_, text)) {
      if (std::find(differences_.begin(), differences_.end(), each) == differences_.end()) {
        differences_.push_back(std::move(each));
      }
    }
  }

  std::string first_;  ///< the text of the first result, which all others are compared with
  std::vector<std::string> differences_;
};

loadgen::Comparison compare_files(const Values& values) {
  auto a = values.texts("a");
  auto b = values.texts("b");
  const auto& files = values.texts("files");
  if (files.size() == 2 && a.empty() && b.empty()) {
    a = {files[0]};
    b = {files[1]};
  } else if (!files.empty() || a.empty() || b.empty()) {
    throw Error(ExitCode::usage, "a comparison needs two sides",
                "Give two result files, or several as --a FILE... --b FILE..., or --live.");
  }
  ResultReader reader;
  const auto runs_a = reader.read(a, values.texts("a-windows"), "a-windows");
  const auto runs_b = reader.read(b, values.texts("b-windows"), "b-windows");
  const auto& allowed_list = values.texts("allow");
  const std::set<std::string> allowed(allowed_list.begin(), allowed_list.end());
  const auto refused = loadgen::not_allowed(reader.differences(), allowed);
  if (!refused.empty()) {
    throw Error(ExitCode::usage,
                fmt::format("these runs are not alike: {}", fmt::join(refused, "; ")),
                fmt::format("If that is what you want to compare, give --allow \"{}\".",
                            refused.front().substr(0, refused.front().find(':'))));
  }
  auto out = loadgen::compare_runs(runs_a, runs_b,
                                   static_cast<std::uint64_t>(values.count("bootstrap-seed")));
  out.differences = reader.differences();
  return out;
}

loadgen::LiveSide live_side(const Context& context, const Values& values, const std::string& side) {
  loadgen::LiveSide out;
  const auto& dsn = values.text(side + "-dsn");
  out.where = dsn.empty() ? target(context) : pg::Conninfo::parse(dsn);
  read_load_options(values, out.load);
  out.load.duration = values.duration("duration");
  out.load.warmup = values.duration("warmup");
  out.load.rate_per_s = loadgen::parse_rate("--rate", values.text("rate"));
  for (const auto& variant : values.texts(side)) loadgen::apply_variant(out.load, variant);
  return out;
}

loadgen::Comparison compare_now(const Context& context, const Values& values) {
  if (!values.texts("files").empty()) {
    throw Error(ExitCode::usage, "--live conflicts with result files",
                "Give the variants as --a KEY=VALUE and --b KEY=VALUE.");
  }
  loadgen::LiveOptions options;
  options.pairs = static_cast<int>(values.count("pairs"));
  loadgen::LiveProgress progress;
  if (context.progress) {
    progress = [&options](std::string_view side, int pair) {
      fmt::print(stderr, "pair {} of {}: {}\n", pair, options.pairs, side);
    };
  }
  return loadgen::compare_live(live_side(context, values, "a"), live_side(context, values, "b"),
                               options, progress, context.stop);
}

int run_load_compare(const Context& context, const Values& values) {
  const auto comparison =
      values.flag("live") ? compare_now(context, values) : compare_files(values);
  fmt::print("{}", context.json ? comparison.to_json() : comparison.to_text());
  const auto& out = values.text("out");
  if (!out.empty()) write_result(out, comparison.to_json());
  return 0;
}

}  // namespace

Command load_compare_command() {
  return {.name = "load compare",
          .summary = "compare two runs and say whether they differ",
          .usage = "A B | --a FILE... --b FILE... | --live --a VARIANT --b VARIANT",
          .options = compare_options(),
          .examples = {"pantryd load compare before.json after.json",
                       "pantryd load compare --live --dsn postgresql://127.0.0.1/shop --a "
                       "mode=faithful --b mode=pipelined"},
          .exits = {{0, "compared, whatever the answer"},
                    {2, "wrong usage, or the runs are not alike"},
                    {7, "--live: too few valid runs"},
                    kUnreachable,
                    kUnwritten},
          .run = run_load_compare};
}

}  // namespace pantryd::cli
