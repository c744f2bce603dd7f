// What the evidence of a run says to people, in a few lines.
#pragma once

#include <string>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// Empty when there was no look; each line ends in a line break.
[[nodiscard]] std::string evidence_text(const LoadResult& result);

/// The events that sessions at work waited for, the most frequent first, "CPU 61 %, Lock:tuple 20
/// %".
[[nodiscard]] std::string waits_text(const std::map<std::string, std::int64_t>& waits);

}  // namespace pantryd::loadgen
