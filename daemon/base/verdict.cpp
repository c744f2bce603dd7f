// Keeps the words and the order of verdicts in one place.
#include "base/verdict.h"

#include <array>

namespace pantryd {
namespace {

/// How bad a verdict is among others; the worst one names the whole.
int badness(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return 0;
    case Verdict::inconclusive:
      return 1;
    case Verdict::invalid:
      return 2;
    case Verdict::fail:
      return 3;
  }
  return 3;
}

}  // namespace

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "PASS";
    case Verdict::fail:
      return "FAIL";
    case Verdict::inconclusive:
      return "INCONCLUSIVE";
    case Verdict::invalid:
      return "INVALID";
  }
  return "INVALID";
}

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::not_tested:
      return "not_tested";
    case Reason::stale:
      return "stale";
    case Reason::scale:
      return "scale";
    case Reason::samples:
      return "samples";
    case Reason::unsteady:
      return "unsteady";
    case Reason::budget:
      return "budget";
    case Reason::unreadable:
      return "unreadable";
    case Reason::client:
      return "client";
    case Reason::control:
      return "control";
    case Reason::load:
      return "load";
  }
  return "unreadable";
}

std::optional<Verdict> parse_verdict(std::string_view text) {
  for (const auto verdict :
       std::array{Verdict::pass, Verdict::fail, Verdict::inconclusive, Verdict::invalid}) {
    if (text == to_string(verdict)) return verdict;
  }
  return std::nullopt;
}

Verdict worst(Verdict a, Verdict b) {
  return badness(b) > badness(a) ? b : a;
}

ExitCode exit_code_of(Verdict verdict) {
  if (verdict == Verdict::pass) return ExitCode::ok;
  return verdict == Verdict::fail ? ExitCode::failed : ExitCode::inconclusive;
}

}  // namespace pantryd
