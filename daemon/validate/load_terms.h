// The keys that claims about loads share, and what they mean for a run.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/yaml.h"
#include "validate/claim.h"
#include "validate/evidence.h"
#include "validate/percentiles.h"

namespace pantryd::validate {

/// Rows that a claim speaks of: `scale: {products: N, sales: N}`.
struct Scale {
  std::optional<std::int64_t> products;
  std::optional<std::int64_t> sales;
};

/// workload, mode, duration, warmup, repeat, errors_max, refused_max, p50 to p999, scale.
struct LoadTerms {
  std::string workload;
  loadgen::Mode mode = loadgen::Mode::faithful;
  std::optional<std::chrono::milliseconds> duration;
  std::optional<std::chrono::milliseconds> warmup;  ///< none: until steady
  std::int64_t repeat = 1;
  double errors_max = 0.001;
  double refused_max = 0.05;
  std::vector<Percentile> percentiles;
  Scale scale;
};

/// Reads the shared keys. Throws Error(usage) with FILE:LINE:COLUMN, also for a workload that
/// cannot be read.
[[nodiscard]] LoadTerms parse_terms(YamlMap& map);
/// `users` and `connections`, at most 100,000 and 1,000; connections default to the users.
void parse_users(YamlMap& map, std::int64_t users, LoadNeed& need);
/// A share: "30%", or 0.3.
[[nodiscard]] double share_of(const YamlValue& value, double max);

/// The runs of this load, one for each repetition, and the counts of rows.
[[nodiscard]] Needs needs_of_load(const LoadNeed& need, const LoadTerms& terms);
/// `need` with what the terms say of it, as repetition `round` (0 is the first).
[[nodiscard]] LoadNeed with_terms(LoadNeed need, const LoadTerms& terms, std::int64_t round);

/// Every repetition's result; empty, with verdict and reason in `out`, where one is missing.
[[nodiscard]] std::vector<const loadgen::LoadResult*> results_of(const Evidence& evidence,
                                                                 const LoadNeed& need,
                                                                 const LoadTerms& terms,
                                                                 Judgement& out);

/// Of several repetitions the worst counts; the evidence of each is kept.
[[nodiscard]] Judgement worst_of(std::vector<Judgement> rounds);

/// FAIL where more of the operations were refused than `refused_max`; a line where any was.
void judge_refused(const loadgen::LoadResult& load, const LoadTerms& terms, Judgement& out);
/// The rows as they were counted. A PASS below the claimed scale, with more than 5 % fewer rows
/// than the ledger of the seed says, or without a count, becomes INCONCLUSIVE.
void judge_scale(const Evidence& evidence, const loadgen::LoadResult& load, const LoadTerms& terms,
                 Judgement& out);

/// The judgement of a claim about `need`: the worst of its rounds, each by `judge_run` and by the
/// scale of the claim; without a round, why it has none.
template <typename JudgeRun>
[[nodiscard]] Judgement judge_rounds(const Evidence& evidence, const LoadNeed& need,
                                     const LoadTerms& terms, const JudgeRun& judge_run) {
  Judgement out;
  std::vector<Judgement> rounds;
  for (const auto* load : results_of(evidence, need, terms, out)) {
    rounds.push_back(judge_run(*load));
    judge_scale(evidence, *load, terms, rounds.back());
  }
  return rounds.empty() ? out : worst_of(std::move(rounds));
}

}  // namespace pantryd::validate
