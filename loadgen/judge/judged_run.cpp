// Drives a load and judges it.
#include "loadgen/judge/judged_run.h"

#include "loadgen/judge/verdict.h"

namespace pantryd::loadgen {

LoadResult run_and_judge(const pg::Conninfo& where, const LoadOptions& options,
                         const ProgressFn& progress, const StopFlag* stop) {
  auto result = run_load(where, options, progress, stop);
  judge(result);
  return result;
}

}  // namespace pantryd::loadgen
