// Invariants: current_ is set exactly while a trial awaits its report; low < high when both are
// set; a rate above the client's limit is never asked for; points has at most trials_max entries.
#include "loadgen/capacity/find_max.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/units.h"

namespace pantryd::loadgen {
namespace {

constexpr double kStep = 1.3;
constexpr double kFirstShare = 0.5;
constexpr double kBaseShare = 0.1;
constexpr double kNarrowAt = 0.4;  // of the interval in log space
constexpr double kOverload = 1.2;
constexpr int kLongest = 8;  // times the shortest trial
constexpr int kConfirmStretch = 4;

/// Short trials suffice while the interval is wide.
int stretch_for(double ratio) {
  if (ratio > 1.25) return 1;
  return ratio > 1.12 ? 2 : kConfirmStretch;
}

}  // namespace

std::string_view to_string(Purpose purpose) {
  switch (purpose) {
    case Purpose::calibrate:
      return "calibrate";
    case Purpose::burst:
      return "burst";
    case Purpose::base:
      return "base";
    case Purpose::bracket:
      return "bracket";
    case Purpose::narrow:
      return "narrow";
    case Purpose::confirm:
      return "confirm";
    case Purpose::anneal:
      return "anneal";
  }
  return "?";
}

std::optional<double> SearchResult::width() const {
  if (!low_per_s || !high_per_s) return std::nullopt;
  return *high_per_s / *low_per_s - 1;
}

std::string SearchResult::bottleneck() const {
  std::string out;
  double lowest = 0;
  for (const auto& [trial, outcome] : points) {
    if (!trial.rate_per_s || outcome.verdict != Verdict::fail || outcome.bottleneck.empty())
      continue;
    if (!out.empty() && *trial.rate_per_s >= lowest) continue;
    lowest = *trial.rate_per_s;
    out = outcome.bottleneck;
  }
  return out;
}

FindMax::FindMax(SearchSettings settings) : settings_(settings) {
  plan(settings_.calibrate ? Purpose::calibrate : Purpose::burst, std::nullopt);
}

void FindMax::plan(Purpose purpose, std::optional<double> rate_per_s, int stretch) {
  const auto longest = kLongest * settings_.trial;
  auto duration = stretch * settings_.trial;
  if (rate_per_s && purpose != Purpose::base && purpose != Purpose::calibrate) {
    const double enough_ms =
        1000.0 * stretch * static_cast<double>(settings_.samples_min) / *rate_per_s;
    const auto capped_ms = std::min(enough_ms, static_cast<double>(longest.count()));
    duration = std::max(duration, std::chrono::milliseconds(std::llround(capped_ms)));
  }
  current_ = Trial{purpose, rate_per_s, std::min(duration, longest), purpose == Purpose::calibrate};
  invalid_ = 0;
  lengthened_ = 0;
}

void FindMax::finish(Verdict verdict, std::string reason) {
  result_.verdict = verdict;
  result_.reasons.push_back(std::move(reason));
  current_.reset();
  over_ = true;
}

std::optional<Trial> FindMax::next_trial() {
  if (over_) return std::nullopt;
  const bool out_of_trials = static_cast<int>(result_.points.size()) >= settings_.trials_max;
  if (out_of_trials || taken_ + current_->duration > settings_.budget) {
    const auto limit = out_of_trials
                           ? fmt::format("{} trials", settings_.trials_max)
                           : fmt::format("the budget of {}", format_duration(settings_.budget));
    if (current_->purpose == Purpose::anneal) {
      finish(Verdict::pass, fmt::format("Whether an overload leaves something behind was not "
                                        "looked at: {} would be exceeded.",
                                        limit));
    } else {
      finish(Verdict::inconclusive, fmt::format("Ended before it was done ({}): {} would be "
                                                "exceeded.",
                                                to_string(current_->purpose), limit));
    }
    return std::nullopt;
  }
  return current_;
}

double FindMax::capped(double rate_per_s) const {
  return result_.client_limit_per_s ? std::min(rate_per_s, *result_.client_limit_per_s)
                                    : rate_per_s;
}

/// True when the same trial has to be run again, or the search is over for want of a valid one.
bool FindMax::again(const TrialOutcome& outcome) {
  const auto purpose = current_->purpose;
  if (outcome.stopped) {
    finish(Verdict::inconclusive, "Ended early.");
    return true;
  }
  // What a closed loop says of latency is not asked for, and calibration has its own answer.
  const bool judged = current_->rate_per_s && purpose != Purpose::calibrate;
  // The upward half of the annealing may show what it likes.
  if (!judged || (purpose == Purpose::anneal && !overloaded_)) return false;
  if (outcome.verdict == Verdict::invalid) {
    if (invalid_++ < settings_.invalid_max) return true;
    if (purpose == Purpose::anneal) {
      finish(Verdict::pass,
             "Whether an overload leaves something behind could not be seen: the "
             "client spoiled the trial.");
      return true;
    }
    finish(Verdict::invalid, fmt::format("The client was the limit at {:.1f}/s, {} times: {}",
                                         *current_->rate_per_s, invalid_, outcome.reason));
    return true;
  }
  // At the base rate it is enough that the SLO is not seen to be broken.
  if (outcome.verdict == Verdict::inconclusive && purpose != Purpose::base) {
    if (lengthened_ >= settings_.lengthen_max) return false;
    ++lengthened_;
    current_->duration *= 2;
    return true;
  }
  return false;
}

void FindMax::report(const TrialOutcome& outcome) {
  if (!current_) return;
  result_.points.push_back({*current_, outcome});
  taken_ += outcome.taken;
  if (again(outcome)) return;
  // What could not be shown to pass, however long it ran, is no rate to promise.
  const bool passed = outcome.verdict == Verdict::pass;
  switch (current_->purpose) {
    case Purpose::calibrate:
      return on_calibrate(outcome);
    case Purpose::burst:
      return on_burst(outcome);
    case Purpose::base:
      return on_base(outcome);
    case Purpose::bracket:
    case Purpose::narrow:
      return on_bracket(passed);
    case Purpose::confirm:
      return on_confirm(passed);
    case Purpose::anneal:
      return on_anneal(outcome);
  }
}

void FindMax::on_calibrate(const TrialOutcome& outcome) {
  if (!current_->rate_per_s) {
    if (outcome.completed_per_s <= 0) {
      return finish(Verdict::invalid, "The client did nothing against a target that does nothing.");
    }
    result_.client_ceiling_per_s = outcome.completed_per_s;
    return plan(Purpose::calibrate, settings_.client_share_max * outcome.completed_per_s);
  }
  // Its throughput is one thing, whether it starts in time at a rate is another.
  if (outcome.verdict == Verdict::pass || outcome.verdict == Verdict::inconclusive) {
    result_.client_limit_per_s = *current_->rate_per_s;
    return plan(Purpose::burst, std::nullopt);
  }
  const double lower = *current_->rate_per_s / 2;
  if (lower < *result_.client_ceiling_per_s / 40) {
    return finish(Verdict::invalid,
                  fmt::format("The client is late at {:.0f}/s even against a target that does "
                              "nothing: {}",
                              *current_->rate_per_s, outcome.reason));
  }
  plan(Purpose::calibrate, lower);
}

void FindMax::on_burst(const TrialOutcome& outcome) {
  result_.closed_loop_per_s = outcome.completed_per_s;
  if (outcome.completed_per_s <= 0) {
    return finish(Verdict::fail,
                  fmt::format("Not one operation was done in a closed loop: {}", outcome.reason));
  }
  base_per_s_ = capped(kBaseShare * outcome.completed_per_s);
  plan(Purpose::base, base_per_s_);
}

void FindMax::on_base(const TrialOutcome& outcome) {
  result_.base_p99_us = outcome.p99_us;
  if (outcome.verdict == Verdict::fail) {
    result_.high_per_s = base_per_s_;
    return finish(Verdict::fail, fmt::format("No rate is sustainable: at {:.1f}/s, a tenth of what "
                                             "a closed loop reaches, the SLO is broken. {}",
                                             base_per_s_, outcome.reason));
  }
  plan(Purpose::bracket, capped(kFirstShare * *result_.closed_loop_per_s));
}

void FindMax::on_bracket(bool passed) {
  const double rate = *current_->rate_per_s;
  if (passed) {
    result_.low_per_s = rate;
  } else {
    result_.high_per_s = rate;
  }
  if (result_.low_per_s && result_.high_per_s) return narrow();
  if (passed) {
    if (result_.client_limit_per_s && rate >= *result_.client_limit_per_s) {
      return finish(
          Verdict::invalid,
          fmt::format("The client was the limit: {:.1f}/s passed, and more than {:.0f} % "
                      "of its own ceiling of {:.0f}/s is not asked of it.",
                      rate, 100 * settings_.client_share_max, *result_.client_ceiling_per_s));
    }
    // The closed loop is a hint of where to stop climbing, not a bound to trust.
    const double hint = *result_.closed_loop_per_s;
    const double next = rate * kStep;
    return plan(Purpose::bracket, capped(rate < 0.97 * hint && next > hint ? hint : next));
  }
  const double lower = rate / kStep;
  if (lower < base_per_s_) {
    return finish(Verdict::fail,
                  fmt::format("No rate is sustainable: none from {:.1f}/s up passed.", rate));
  }
  plan(Purpose::bracket, lower);
}

void FindMax::narrow() {
  const double ratio = *result_.high_per_s / *result_.low_per_s;
  if (ratio - 1 <= settings_.width_max) return confirm();
  plan(Purpose::narrow, *result_.low_per_s * std::pow(ratio, kNarrowAt), stretch_for(ratio));
}

void FindMax::confirm() {
  result_.confirmed = 0;
  plan(Purpose::confirm, *result_.low_per_s, kConfirmStretch);
}

void FindMax::on_confirm(bool passed) {
  if (passed) {
    if (++result_.confirmed < settings_.confirmations) {
      return plan(Purpose::confirm, *result_.low_per_s, kConfirmStretch);
    }
    if (!settings_.anneal) {
      return finish(Verdict::pass, fmt::format("{:.1f}/s passed {} times.", *result_.low_per_s,
                                               result_.confirmed));
    }
    return plan(Purpose::anneal, capped(*result_.high_per_s * kOverload));
  }
  result_.high_per_s = *result_.low_per_s;
  result_.low_per_s = *result_.high_per_s / (1 + settings_.width_max * 0.999);
  if (*result_.low_per_s < base_per_s_ || ++lowered_ > settings_.lowerings_max) {
    const double tried = *std::exchange(result_.low_per_s, std::nullopt);
    result_.confirmed = 0;
    return finish(Verdict::inconclusive,
                  fmt::format("The results contradict each other: what passed once did not pass {} "
                              "times, down to {:.1f}/s.",
                              settings_.confirmations, tried));
  }
  confirm();
}

void FindMax::on_anneal(const TrialOutcome& outcome) {
  if (!overloaded_) {
    overloaded_ = true;
    return plan(Purpose::anneal, *result_.low_per_s, kConfirmStretch);
  }
  const bool passed = outcome.verdict == Verdict::pass;
  // So near to the limit one failure may be chance: a grudge is what is seen twice.
  if (!passed && ++grudges_ < 2) {
    overloaded_ = false;
    return plan(Purpose::anneal, capped(*result_.high_per_s * kOverload));
  }
  result_.hysteresis = !passed;
  finish(
      Verdict::pass,
      fmt::format("{:.1f}/s passed {} times{}", *result_.low_per_s, result_.confirmed,
                  *result_.hysteresis
                      ? fmt::format(", but not after an overload (hysteresis): {}", outcome.reason)
                      : std::string(", and once more after an overload.")));
}

}  // namespace pantryd::loadgen
