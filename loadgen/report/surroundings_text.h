// Who and what else was at the server while a load ran, in words.
#pragma once

#include <string>
#include <vector>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// "5.0 s, until steady: The service times of 3 operations no longer fell."
[[nodiscard]] std::string warm_up_text(const LoadResult& result);

/// A line each: other sessions, restarts, reloads, settings, checkpoints and autovacuum. Without a
/// look at the server one line that says so. Names come from the server and are not escaped.
[[nodiscard]] std::vector<std::string> surroundings_lines(const LoadResult& result);

}  // namespace pantryd::loadgen
