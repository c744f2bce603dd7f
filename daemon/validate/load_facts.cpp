// Reads the numbers of a run as claims need them; it judges only whether the run is evidence.
#include "validate/load_facts.h"

#include <fmt/format.h>

namespace pantryd::validate {

const loadgen::LoadResult* result_of(const Evidence& evidence, const LoadNeed& need,
                                     Judgement& out) {
  const auto* run = evidence.load(need);
  if (run != nullptr && run->result) return &*run->result;
  const bool tried = run != nullptr && !run->problem.empty();
  out.inconclusive(Reason::not_tested);
  out.evidence.push_back(tried ? "the load did not run: " + run->problem : "the load did not run");
  return nullptr;
}

double error_share(const loadgen::LoadResult& load) {
  const auto offered = load.offered();
  auto errors = load.errors();
  const auto unfinished = load.totals.errors.find("unfinished");
  if (unfinished != load.totals.errors.end()) errors -= unfinished->second.count;
  return offered == 0 ? 0 : static_cast<double>(errors) / static_cast<double>(offered);
}

bool excused(const loadgen::LoadResult& load, Judgement& out) {
  if (load.stopped) {
    out.inconclusive(Reason::load);
    out.evidence.emplace_back("the run was ended early");
    return true;
  }
  if (load.verdict != Verdict::invalid) return false;
  out.invalid(Reason::client);
  out.evidence.push_back(load.reasons.empty() ? "the client limited the run"
                                              : load.reasons.front());
  return true;
}

void add_outages(const loadgen::LoadResult& load, Judgement& out) {
  for (const auto& outage : load.totals.outages) {
    out.evidence.push_back(
        fmt::format("connections were lost at {:.1f} s{}: {} operations failed, {}", outage.from_s,
                    outage.to_s ? fmt::format(" and back at {:.1f} s", *outage.to_s) : "",
                    outage.operations_failed, outage.first_error));
  }
}

std::string latency_text(std::int64_t us) {
  const double ms = static_cast<double>(us) / 1000;
  return ms >= 1000 ? fmt::format("{:.2f} s", ms / 1000) : fmt::format("{:.1f} ms", ms);
}

}  // namespace pantryd::validate
