// Drives a workload at a rate for a time and counts what came of it. The result has no verdict yet:
// see judge/judged_run.h.
#pragma once

#include <functional>

#include "base/error.h"
#include "base/stop.h"
#include "loadgen/result/result.h"
#include "loadgen/result/windows.h"
#include "pg/conninfo.h"

namespace pantryd::loadgen {

/// Limits of the server, such as max_connections, leave too few connections for a load.
class NoRoom : public Error {
 public:
  using Error::Error;
};

/// Called once a second by the thread that called run_load().
using ProgressFn = std::function<void(const LiveState&)>;

/// Throws Error: bad options (usage), server unreachable (8), no seeded dataset (failed), a
/// statement that the server refuses to prepare. A server that goes away later is in the result.
[[nodiscard]] LoadResult run_load(const pg::Conninfo& where, const LoadOptions& options,
                                  const ProgressFn& progress = {}, const StopFlag* stop = nullptr);

}  // namespace pantryd::loadgen
