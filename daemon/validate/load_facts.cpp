// Finds runs; a run that is missing always has a verdict and a line.
#include "validate/load_facts.h"

#include <fmt/format.h>

namespace pantryd::validate {

const loadgen::LoadResult* result_of(const Evidence& evidence, const LoadNeed& need,
                                     Judgement& out) {
  const auto* run = evidence.load(need);
  if (run != nullptr && run->result) return &*run->result;
  const bool tried = run != nullptr && !run->problem.empty();
  if (run != nullptr && run->forbidden) {
    out.fail();
  } else {
    out.inconclusive(Reason::not_tested);
  }
  out.evidence.push_back(tried ? "the load did not run: " + run->problem : "the load did not run");
  return nullptr;
}

std::string latency_text(std::int64_t us) {
  const double ms = static_cast<double>(us) / 1000;
  return ms >= 1000 ? fmt::format("{:.2f} s", ms / 1000) : fmt::format("{:.1f} ms", ms);
}

}  // namespace pantryd::validate
