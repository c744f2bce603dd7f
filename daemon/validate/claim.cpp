// Keeps verdict and reason of a judgement together: PASS and FAIL have no reason, the others do.
#include "validate/claim.h"

namespace pantryd::validate {

void Judgement::pass() {
  verdict = Verdict::pass;
  reason.reset();
}

void Judgement::fail() {
  verdict = Verdict::fail;
  reason.reset();
}

void Judgement::inconclusive(Reason why) {
  verdict = Verdict::inconclusive;
  reason = why;
}

void Judgement::invalid(Reason why) {
  verdict = Verdict::invalid;
  reason = why;
}

void Judgement::settings_only() {
  inconclusive(Reason::not_tested);
  evidence.emplace_back("settings are right; not tried");
}

}  // namespace pantryd::validate
