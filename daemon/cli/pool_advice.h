// `check --advise`: how large the pools should be, measured on each target that is up. Beside the
// check and not part of it, for it has to watch the load for some seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/command.h"
#include "pool/advise.h"
#include "pool/demand.h"

namespace pantryd::cli {

struct PoolAdviceOptions {
  std::chrono::milliseconds window{3'000};  ///< between the two looks
  std::optional<std::int32_t> server_cores;
  std::int32_t pools = 1;
};

/// --advise, --advise-for, --server-cores and --pools.
void add_pool_advice_options(po::options_description& options);
/// Nothing without --advise. Throws Error(usage) for one of the others without it, or out of
/// bounds.
[[nodiscard]] std::optional<PoolAdviceOptions> read_pool_advice_options(
    const po::variables_map& values);

struct TargetPoolAdvice {
  std::string target;
  std::string failure;  ///< why nothing was measured; empty: the rest is there
  pool::DemandWindow window;
  pool::DemandWindow average;
  std::string basis;       ///< which of the two the advice follows; empty: neither
  std::string cores_from;  ///< how the number of cores is known
  std::int32_t connections_now = 0;
  PoolKeys configured;
  pool::AdviceInputs inputs;
  pool::Advice advice;
};

/// Of the targets in `up`, side by side, in the order of the settings. A target that cannot be
/// asked has a failure, and nothing is thrown.
[[nodiscard]] std::vector<TargetPoolAdvice> advise_pools(const Settings& settings,
                                                         const std::set<std::string>& up,
                                                         const PoolAdviceOptions& options,
                                                         const StopFlag* stop);

/// Lines for a person.
[[nodiscard]] std::string render(const TargetPoolAdvice& advice);
[[nodiscard]] nlohmann::json to_json(const TargetPoolAdvice& advice);

}  // namespace pantryd::cli
