// The settings without which an acknowledged sale can be lost.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "validate/check.h"
#include "validate/metric_names.h"

namespace pantryd::validate {
namespace {

namespace names = metric_names;

struct Keys {};

Keys parse(YamlMap&) {
  return {};
}

Needs needs(const Keys&) {
  return {};
}

constexpr std::array<std::pair<const char*, const char*>, 3> kSettings{{
    {"fsync", names::kFsync},
    {"synchronous_commit", names::kSynchronousCommit},
    {"full_page_writes", names::kFullPageWrites},
}};

Judgement judge(const Keys&, const Evidence& evidence) {
  Judgement out;
  const auto* primary = evidence.primary();
  bool all = true;
  std::string measured;
  for (const auto& [setting, metric] : kSettings) {
    const auto value = primary != nullptr ? primary->value(metric) : std::nullopt;
    if (!value) {
      out.inconclusive(Reason::unreadable);
      out.evidence.emplace_back(std::string("could not read ") + setting);
      return out;
    }
    all = all && *value != 0;
    measured +=
        fmt::format("{}{} {}", measured.empty() ? "" : ", ", setting, *value != 0 ? "on" : "off");
  }
  out.measured = measured;
  out.evidence.emplace_back("as the server runs them now; a power cut was NOT TESTED");
  if (all) {
    out.pass();
  } else {
    out.fail();
  }
  return out;
}

}  // namespace

const Check* durability_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("durability");
  return &check;
}

}  // namespace pantryd::validate
