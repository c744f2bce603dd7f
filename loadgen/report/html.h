// A load run as one HTML file that needs nothing beside it: no script, no font, no network.
#pragma once

#include <string>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// Verdict and reasons, a table of percentiles, and drawn over the run: operations done a second,
/// response p99, and what the sessions at work waited for, with checkpoints and outages marked.
/// Every text is escaped, whatever the server sent.
[[nodiscard]] std::string load_html(const LoadResult& result);

}  // namespace pantryd::loadgen
