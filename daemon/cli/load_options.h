// The options that several load commands have, and what they mean for a run.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace pantryd {

struct PoolKeys;

namespace loadgen {
struct LoadOptions;
}

namespace cli {

/// --mode, --workload, --only and --seed.
[[nodiscard]] std::vector<Option> workload_options();
/// --users and --connections.
[[nodiscard]] std::vector<Option> size_options();

/// Reads both of the above.
void read_load_options(const Values& values, loadgen::LoadOptions& out);
/// The pool of the configuration, if it configures one; its size unless --connections is given.
void take_pool(const PoolKeys& pool, const Values& values, loadgen::LoadOptions& out);

}  // namespace cli
}  // namespace pantryd
