// Runs the loads of a sheet, closed loops first, because they are the most sensitive to what a
// heavier load leaves behind.
#include "validate/stages.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/units.h"
#include "loadgen/drive/load.h"
#include "loadgen/judge/verdict.h"
#include "pg/error.h"
#include "validate/check.h"
#include "validate/rule_zero.h"
#include "validate/sheet.h"

namespace pantryd::validate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kOpenMin = seconds(20);
constexpr milliseconds kClosedMin = seconds(5);
/// Of each operation where rare ones are raised: without a miss they are just enough for a p99.
constexpr std::int64_t kSamplesMin = 300;
/// A run that is repeated for them takes this long at most.
constexpr milliseconds kRepeatMax = std::chrono::minutes(2);

bool is_closed(const LoadNeed& need) {
  return !need.rate_per_s;
}

loadgen::Workload workload_of(const LoadNeed& need, const StageOptions& options) {
  const auto& name = need.workload.empty() ? options.workload : need.workload;
  auto out = loadgen::load_workload(name).without_idle();
  auto& operations = out.operations;
  if (!need.raise_rare) return out;
  double total = 0;
  for (const auto& each : operations) total += each.weight;
  const double average = total / static_cast<double>(std::max<std::size_t>(1, operations.size()));
  for (auto& each : operations) each.weight = std::max(each.weight, average);
  return out;
}

std::string ids_of(const std::vector<Claim>& claims, const LoadNeed& need) {
  std::string out;
  for (const auto& claim : claims) {
    const auto loads = claim.check->needs(claim.keys).loads;
    if (std::find(loads.begin(), loads.end(), need) == loads.end()) continue;
    out += (out.empty() ? "" : ", ") + claim.id;
  }
  return out;
}

std::string announcement(const std::vector<Claim>& claims, const LoadNeed& need,
                         milliseconds duration) {
  return fmt::format("load for {}: {}, {} users over {} connections, {}", ids_of(claims, need),
                     need.rate_per_s ? fmt::format("{:.0f}/s", *need.rate_per_s) : "closed loop",
                     need.users, need.connections, format_duration(duration));
}

/// What the run is for, in the name of its file.
std::string kind_of(const LoadNeed& need) {
  if (!is_closed(need)) return "peak";
  return need.raise_rare ? "paced" : "users";
}

/// "load-paced.json", "load-users.json" and "load-peak.json", then "load-peak-2.json" and so on.
std::string file_name(const std::string& kind, int number) {
  return fmt::format("load-{}{}.json", kind, number == 1 ? "" : fmt::format("-{}", number));
}

/// How long a run has to be to give each operation its samples; nothing where this one did, where
/// one never ran, and where no longer one is allowed. A run that fails its claim is evidence, and
/// is kept.
std::optional<milliseconds> longer_time(const loadgen::LoadResult& load, milliseconds duration) {
  std::int64_t fewest = kSamplesMin;
  for (const auto& each : load.operations) fewest = std::min(fewest, each.totals.offered);
  if (fewest >= kSamplesMin || fewest <= 0 || load.stopped) return std::nullopt;
  for (const auto& found : findings_of(load, loadgen::kErrorsMax)) {
    if (best_verdict(found.finding, ClaimKind::latency).verdict == Verdict::fail) {
      return std::nullopt;
    }
  }
  const double factor = 1.25 * static_cast<double>(kSamplesMin) / static_cast<double>(fewest);
  const auto longer = std::min(kRepeatMax, std::chrono::duration_cast<milliseconds>(
                                               factor * std::chrono::duration<double>(duration)));
  return longer > duration ? std::optional(longer) : std::nullopt;
}

std::string problem_of(const Error& error) {
  return error.hint().empty() ? error.what() : fmt::format("{}. {}", error.what(), error.hint());
}

void say(const Hands& hands, const std::string& line) {
  if (hands.announce) hands.announce(line);
}

loadgen::LoadResult drive_once_or_twice(const LoadNeed& need, const StageOptions& options,
                                        milliseconds duration, const Hands& hands) {
  auto result = hands.drive(options_of(need, options, duration));
  if (!need.raise_rare || need.duration) return result;
  const auto longer = longer_time(result, duration);
  if (!longer) return result;
  say(hands, fmt::format("the same load for {}: an operation ran less than {} times",
                         format_duration(*longer), kSamplesMin));
  return hands.drive(options_of(need, options, *longer));
}

/// Result or problem of one load.
void drive(const std::vector<Claim>& claims, const StageOptions& options, milliseconds duration,
           const Hands& hands, LoadRun& run) {
  try {
    say(hands, announcement(claims, run.need, duration));
    run.result = drive_once_or_twice(run.need, options, duration, hands);
  } catch (const loadgen::NoRoom& error) {
    run.forbidden = true;
    run.problem = problem_of(error);
  } catch (const pg::PgError& error) {
    run.forbidden = error.failure() == pg::Failure::too_many;
    run.problem = problem_of(error);
  } catch (const Error& error) {
    run.problem = problem_of(error);
  }
}

}  // namespace

std::vector<milliseconds> split_budget(milliseconds budget, const std::vector<LoadNeed>& loads) {
  const auto closed = std::count_if(loads.begin(), loads.end(), is_closed);
  const auto open = static_cast<std::ptrdiff_t>(loads.size()) - closed;
  const auto third = std::max<milliseconds>(kClosedMin, budget / 3);
  std::vector<milliseconds> out;
  for (const auto& load : loads) {
    out.push_back(load.duration     ? *load.duration
                  : is_closed(load) ? std::max(kClosedMin, third / closed)
                                    : std::max(kOpenMin, (budget - third) / open));
  }
  return out;
}

loadgen::LoadOptions options_of(const LoadNeed& need, const StageOptions& options,
                                milliseconds duration) {
  loadgen::LoadOptions out;
  out.workload = workload_of(need, options);
  out.mode = need.mode;
  out.rate_per_s = need.rate_per_s;
  out.users = need.users;
  out.connections = need.connections;
  if (need.think) out.workload.users.think = *need.think;
  out.seed += static_cast<std::uint64_t>(need.round);
  out.duration = duration;
  out.warm_until_steady = !need.warmup;
  out.warmup = need.warmup.value_or(options.warmup_limit);
  return out;
}

Evidence gather(const std::vector<Claim>& claims, const StageOptions& options, const Hands& hands,
                const StopFlag* stop) {
  auto needs = needs_of(claims);
  std::stable_partition(needs.loads.begin(), needs.loads.end(), is_closed);
  const auto times = split_budget(options.budget, needs.loads);
  Evidence out;
  std::map<std::string, int> numbers;
  for (std::size_t i = 0; i < needs.loads.size(); ++i) {
    LoadRun run{needs.loads[i], {}, {}, false, {}};
    run.file = file_name(kind_of(run.need), ++numbers[kind_of(run.need)]);
    if (stop != nullptr && stop->requested()) {
      run.problem = "the command was ended before it";
    } else {
      drive(claims, options, times[i], hands, run);
    }
    out.loads.push_back(std::move(run));
  }
  out.servers = hands.look();
  for (const auto& query : needs.queries) {
    try {
      out.answers[query] = hands.ask(query);
    } catch (const Error& error) {
      out.answers[query].problem = problem_of(error);
    }
  }
  return out;
}

}  // namespace pantryd::validate
