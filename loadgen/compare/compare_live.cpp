// Invariant: only whole pairs are compared.
#include "loadgen/compare/compare_live.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"

namespace pantryd::loadgen {
namespace {

constexpr int kPairsMax = 100;

std::int64_t number_of(const std::string& key, const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(ExitCode::usage, fmt::format("{}={} is not a whole number", key, text));
  }
  return value;
}

/// One valid run; nullopt when a person ended it.
std::optional<LoadResult> run_side(const LiveSide& side, std::uint64_t seed, int& invalid_left,
                                   const StopFlag* stop) {
  auto load = side.load;
  // The same arrivals for both sides of a pair, others in each pair.
  load.seed = seed;
  for (;;) {
    LoadResult result;
    try {
      result = run_and_judge(side.where, load, {}, stop);
    } catch (const Error&) {
      // Whoever ends it while it connects ends it as well.
      if (stop != nullptr && stop->requested()) return std::nullopt;
      throw;
    }
    if (result.stopped) return std::nullopt;
    if (result.verdict != Verdict::invalid) return result;
    if (--invalid_left < 0) {
      throw Error(ExitCode::inconclusive,
                  fmt::format("the client limited every run: {}",
                              result.reasons.empty() ? "" : result.reasons.front()),
                  "Lower the rate, or give the load generator a machine of its own.");
    }
  }
}

}  // namespace

Comparison compare_live(const LiveSide& a, const LiveSide& b, const LiveOptions& options,
                        const LiveProgress& progress, const StopFlag* stop) {
  if (options.pairs < 2 || options.pairs > kPairsMax) {
    throw Error(ExitCode::usage, fmt::format("the pairs must be from 2 to {}", kPairsMax));
  }
  std::array<std::vector<ComparedRun>, 2> runs;
  std::vector<std::string> differences;
  auto invalid_left = options.invalid_max;
  bool stopped = false;
  for (int pair = 1; pair <= options.pairs && !stopped; ++pair) {
    std::array<std::optional<LoadResult>, 2> results;
    for (int turn = 0; turn < 2 && !stopped; ++turn) {
      const auto which = static_cast<std::size_t>(pair % 2 == 1 ? turn : 1 - turn);
      if (progress) progress(which == 0 ? "A" : "B", pair);
      const auto seed = (which == 0 ? a : b).load.seed + static_cast<std::uint64_t>(pair);
      results[which] = run_side(which == 0 ? a : b, seed, invalid_left, stop);
      stopped = !results[which] || (stop != nullptr && stop->requested());
    }
    if (!results[0] || !results[1]) break;
    for (const std::size_t which : {0U, 1U}) {
      const auto name = fmt::format("{} {}", which == 0 ? "A" : "B", pair);
      runs[which].push_back(read_run(name, to_json(*results[which])));
    }
    if (differences.empty()) {
      differences = run_differences(to_json(*results[0]), to_json(*results[1]));
    }
  }
  if (runs[0].size() < 2) {
    throw Error(ExitCode::inconclusive, "ended before two pairs were whole");
  }
  auto out = compare_pairs(runs[0], runs[1]);
  out.differences = std::move(differences);
  if (static_cast<int>(runs[0].size()) < options.pairs) {
    out.notes.push_back(fmt::format("Ended after {} of {} pairs.", runs[0].size(), options.pairs));
  }
  return out;
}

void apply_variant(LoadOptions& load, const std::string& text) {
  const auto equals = text.find('=');
  const auto key = text.substr(0, equals);
  const auto value = equals == std::string::npos ? std::string() : text.substr(equals + 1);
  if (key == "mode") {
    load.mode = parse_mode(key, value);
  } else if (key == "rate") {
    load.rate_per_s = parse_rate(key, value);
  } else if (key == "users") {
    load.users = number_of(key, value);
  } else if (key == "connections") {
    load.connections = number_of(key, value);
  } else if (key == "workload") {
    load.workload = load_workload(value);
  } else if (key == "only") {
    load.workload = load.workload.only(value);
  } else {
    throw Error(ExitCode::usage, fmt::format("unknown variant \"{}\"", text),
                "Use mode=, rate=, users=, connections=, workload= or only=.");
  }
}

}  // namespace pantryd::loadgen
