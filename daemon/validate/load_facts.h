// What the checks of loads share: how they find a run, and the words for its times.
#pragma once

#include <cstdint>
#include <string>

#include "validate/claim.h"
#include "validate/evidence.h"

namespace pantryd::validate {

/// The result of this load; null, with verdict and reason in `out`, where there is none: FAIL when
/// limits of the server forbid the load, else INCONCLUSIVE.
[[nodiscard]] const loadgen::LoadResult* result_of(const Evidence& evidence, const LoadNeed& need,
                                                   Judgement& out);

/// "12.3 ms", "1.20 s".
[[nodiscard]] std::string latency_text(std::int64_t us);

}  // namespace pantryd::validate
