// What the checks of loads share: how they read a run, and the words for it.
#pragma once

#include <string>

#include "validate/claim.h"
#include "validate/evidence.h"

namespace pantryd::validate {

/// Of the operations that ended or should have, the share that may fail.
inline constexpr double kErrorShareMax = 0.001;

/// The result of this load; null, with the reason in `out`, where there is none.
[[nodiscard]] const loadgen::LoadResult* result_of(const Evidence& evidence, const LoadNeed& need,
                                                   Judgement& out);

/// What was merely unfinished when the run ended is overload, which the throughput shows; it is no
/// error that a user saw.
[[nodiscard]] double error_share(const loadgen::LoadResult& load);

/// True for a run that is no evidence against the server, because a person ended it or the client
/// limited it: `out` then has verdict, reason and a line.
[[nodiscard]] bool excused(const loadgen::LoadResult& load, Judgement& out);

/// A line for each time in which connections were lost.
void add_outages(const loadgen::LoadResult& load, Judgement& out);

/// "12.3 ms", "1.20 s".
[[nodiscard]] std::string latency_text(std::int64_t us);

}  // namespace pantryd::validate
