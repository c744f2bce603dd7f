// `check --advise`: how large the pools should be, measured on each target that is up. The check
// alone does not measure it, because that means watching the load for some seconds.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/options.h"
#include "pool/advise.h"
#include "pool/demand.h"
#include "settings/settings.h"

namespace pantryd::cli {

struct PoolAdviceOptions {
  std::chrono::milliseconds window{3'000};  ///< between the two measurements
  std::optional<std::int32_t> server_cores;
  std::int32_t pools = 1;
};

/// --advise, --advise-for, --server-cores and --pools.
[[nodiscard]] std::vector<Option> pool_advice_options();
/// Nothing without --advise. Throws Error(usage) for one of the others without it.
[[nodiscard]] std::optional<PoolAdviceOptions> read_pool_advice_options(const Values& values);

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

/// For the targets in `up`, side by side, in the order of the settings. A target that cannot be
/// measured has a failure, and nothing is thrown.
[[nodiscard]] std::vector<TargetPoolAdvice> advise_pools(const Settings& settings,
                                                         const std::set<std::string>& up,
                                                         const PoolAdviceOptions& options,
                                                         const StopFlag* stop);

/// Lines for a person.
[[nodiscard]] std::string render(const TargetPoolAdvice& advice);
[[nodiscard]] nlohmann::json to_json(const TargetPoolAdvice& advice);

}  // namespace pantryd::cli
