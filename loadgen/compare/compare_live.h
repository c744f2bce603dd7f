// `load compare --live`: two targets, or two ways to load one, in turn: A B, B A, A B, ... What
// drifts meanwhile (a cache that fills, a neighbour on the machine) meets both sides alike, and the
// order that turns round keeps a steady drift from favouring the second.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "loadgen/compare/compare.h"
#include "loadgen/result/options.h"

namespace pantryd::loadgen {

struct LiveSide {
  pg::Conninfo where;
  LoadOptions load;
};

struct LiveOptions {
  int pairs = 6;        ///< 2 to 100
  int invalid_max = 3;  ///< repeats in all, of runs that the client spoiled
};

/// Called before each run: "A" or "B", the pair from 1 on.
using LiveProgress = std::function<void(std::string_view side, int pair)>;

/// Throws Error: as run_load() does; inconclusive when the client spoiled more than `invalid_max`
/// runs, or a person ended it before two pairs were whole. Fewer pairs than asked for are noted.
[[nodiscard]] Comparison compare_live(const LiveSide& a, const LiveSide& b,
                                      const LiveOptions& options, const LiveProgress& progress = {},
                                      const StopFlag* stop = nullptr);

/// Changes `load` by "mode=pipelined", "rate=200", "rate=max", "users=1000", "connections=50",
/// "workload=NAME|FILE" or "only=OPERATION". Throws Error(usage).
void apply_variant(LoadOptions& load, const std::string& text);

}  // namespace pantryd::loadgen
