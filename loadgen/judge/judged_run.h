// A load with its verdict: what every command runs.
#pragma once

#include "loadgen/drive/load.h"

namespace pantryd::loadgen {

/// run_load() and then judge(). Throws what run_load() throws.
[[nodiscard]] LoadResult run_and_judge(const pg::Conninfo& where, const LoadOptions& options,
                                       const ProgressFn& progress = {},
                                       const StopFlag* stop = nullptr);

}  // namespace pantryd::loadgen
