// Invariant: an operation is a miss once, whether it was late, failed or never began; one that sent
// nothing to the server is no sample.
#include "validate/percentiles.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "loadgen/judge/shares.h"
#include "validate/load_facts.h"

namespace pantryd::validate {
namespace {

using loadgen::OperationTotals;
using loadgen::Share;

std::int64_t us_of(std::chrono::milliseconds limit) {
  return std::chrono::duration_cast<std::chrono::microseconds>(limit).count();
}

/// Those that never began may be in the histogram too, with the time that they waited.
Share share_of(const OperationTotals& totals, const Percentile& claimed) {
  const auto samples = std::max<std::int64_t>(0, totals.offered - totals.empty);
  const auto late = totals.response.count_above(us_of(claimed.limit));
  const auto hits = totals.errors + std::max(late, totals.not_started);
  return {std::min(hits, samples), samples, 1 - claimed.share};
}

/// The measured percentile; the highest sample where too few were made for one.
std::int64_t tail_us(const loadgen::Histogram& response, double share) {
  const double beyond = static_cast<double>(response.count()) * (1 - share);
  return beyond >= 1 - 1e-9 ? response.quantile_us(share) : response.max_us();
}

/// One limit for one operation, or for all of them together.
struct Question {
  std::string name;
  const Percentile* claimed = nullptr;
  Share share;
};

std::string answer_of(const Question& question, Verdict verdict) {
  const auto& share = question.share;
  const auto found =
      fmt::format("{}: {} of {} were later than {} or failed; {} allows {:g} %", question.name,
                  share.hits, share.samples, format_duration(question.claimed->limit),
                  question.claimed->key, share.allowed * 100);
  const auto [low, high] = loadgen::share_bounds(share.hits, share.samples);
  if (verdict == Verdict::fail) {
    return fmt::format("{}, and it is at least {:.2f} %", found, low * 100);
  }
  return fmt::format(
      "{}, and it is between {:.2f} % and {:.2f} %; {} more without a miss would decide", found,
      low * 100, high * 100, loadgen::samples_missing(share));
}

/// The verdict over all of them: one FAIL decides, else one that is open does. A line for each that
/// does not hold.
Verdict judge_questions(const std::vector<Question>& questions, Judgement& out) {
  std::vector<Share> shares;
  for (const auto& each : questions) shares.push_back(each.share);
  const auto verdicts = loadgen::judge_shares(shares);
  bool failed = false;
  bool open = questions.empty();
  for (std::size_t i = 0; i < verdicts.size(); ++i) {
    if (verdicts[i] == Verdict::pass) continue;
    (verdicts[i] == Verdict::fail ? failed : open) = true;
    out.evidence.push_back(questions[i].share.samples == 0
                               ? fmt::format("{} never ran", questions[i].name)
                               : answer_of(questions[i], verdicts[i]));
  }
  return failed ? Verdict::fail : open ? Verdict::inconclusive : Verdict::pass;
}

void add_times(const loadgen::OperationResult& operation, Judgement& out) {
  const auto& totals = operation.totals;
  const auto& response = totals.response;
  const auto text = [&](std::int64_t us) {
    return response.count() == 0 ? std::string("-") : latency_text(us);
  };
  const auto failed = totals.errors + totals.not_started;
  out.evidence.push_back(fmt::format(
      "{:<17} p50 {:>9}  p95 {:>9}  p99 {:>9}  max {:>9}  of {}{}", operation.name,
      text(response.quantile_us(0.5)), text(response.quantile_us(0.95)),
      text(response.quantile_us(0.99)), text(response.max_us()), response.count(),
      failed > 0 ? fmt::format(", {} errors, {} not started", totals.errors, totals.not_started)
                 : ""));
}

void add_number(const std::string& of, const loadgen::Histogram& response,
                const Percentile& claimed, Judgement& out) {
  Number number;
  number.name = claimed.key + (of.empty() ? "" : " of " + of);
  if (response.count() > 0) {
    number.value = static_cast<double>(tail_us(response, claimed.share)) / 1000;
  }
  number.unit = "ms";
  number.limit = static_cast<double>(claimed.limit.count());
  number.bound = Number::Bound::at_most;
  number.samples = response.count();
  out.numbers.push_back(std::move(number));
}

void add_worst(const loadgen::LoadResult& load, const Percentile& claimed, Judgement& out) {
  std::int64_t worst_us = -1;
  const std::string* worst = nullptr;
  for (const auto& operation : load.operations) {
    const auto& response = operation.totals.response;
    if (response.count() == 0) continue;
    const auto us = tail_us(response, claimed.share);
    if (us <= worst_us) continue;
    worst_us = us;
    worst = &operation.name;
  }
  if (worst == nullptr) return;
  out.measured += fmt::format("{}worst {} {} ({})", out.measured.empty() ? "" : ", ", claimed.key,
                              latency_text(worst_us), *worst);
}

}  // namespace

void judge_each_operation(const loadgen::LoadResult& load,
                          const std::vector<Percentile>& percentiles, Judgement& out) {
  std::vector<Question> questions;
  for (const auto& operation : load.operations) {
    add_times(operation, out);
    for (const auto& claimed : percentiles) {
      add_number(operation.name, operation.totals.response, claimed, out);
      questions.push_back({operation.name, &claimed, share_of(operation.totals, claimed)});
    }
  }
  for (const auto& claimed : percentiles) add_worst(load, claimed, out);
  switch (judge_questions(questions, out)) {
    case Verdict::fail:
      return out.fail();
    case Verdict::pass:
      return out.pass();
    default:
      return out.inconclusive(Reason::samples);
  }
}

void judge_all_operations(const loadgen::LoadResult& load,
                          const std::vector<Percentile>& percentiles, Judgement& out) {
  if (percentiles.empty()) return;
  OperationTotals all;
  for (const auto& operation : load.operations) all.merge(operation.totals);
  std::vector<Question> questions;
  for (const auto& claimed : percentiles) {
    out.evidence.push_back(fmt::format(
        "{} {}, limit {}, of {} operations", claimed.key,
        all.response.count() == 0 ? "-" : latency_text(all.response.quantile_us(claimed.share)),
        format_duration(claimed.limit), format_count(all.response.count())));
    add_number("", all.response, claimed, out);
    questions.push_back({"all operations", &claimed, share_of(all, claimed)});
  }
  const auto verdict = judge_questions(questions, out);
  if (verdict == Verdict::fail) {
    out.fail();
  } else if (verdict != Verdict::pass && out.verdict == Verdict::pass) {
    out.inconclusive(Reason::samples);
  }
}

}  // namespace pantryd::validate
