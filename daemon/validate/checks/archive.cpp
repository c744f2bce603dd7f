// WAL archiving is on and keeps up, and a base backup exists to start a recovery from. Without a
// recovery that was tried, this never passes.
#include <fmt/format.h>

#include <chrono>
#include <string_view>

#include "validate/check.h"
#include "validate/metric_names.h"

namespace pantryd::validate {
namespace {

namespace names = metric_names;

struct Keys {
  std::chrono::milliseconds wait_limit{120'000};  ///< of the oldest finished segment
};

Keys parse(YamlMap& map) {
  Keys out;
  if (const auto value = map.find("wait_limit")) out.wait_limit = value->as_duration();
  return out;
}

/// Commands that report success and keep nothing.
constexpr const char* kDiscards =
    "SELECT current_setting('archive_command') WHERE current_setting('archive_command') ~ "
    "'^[[:space:]]*(/usr)?(/bin/)?(true|:|exit 0)[[:space:]]*$'";

Needs needs(const Keys&) {
  return {{}, {kDiscards}};
}

enum class Base { good, none, not_configured, unreadable };

std::string_view to_string(Base base) {
  switch (base) {
    case Base::good:
      return "a complete base backup is there to start from";
    case Base::none:
      return "there is no complete base backup to start from";
    case Base::not_configured:
      return "no folder of base backups is configured";
    case Base::unreadable:
      return "a folder of base backups could not be looked at";
  }
  return {};
}

/// The best of all folders of base backups: one complete backup suffices to start from.
Base base_backup(const ServerEvidence& primary) {
  auto out = Base::not_configured;
  for (const auto& metric : primary.metrics) {
    if (metric.label("kind") != "base") continue;
    if (metric.name == names::kBackupCount && metric.value > 0) return Base::good;
    if (metric.name == names::kBackupCount && out == Base::not_configured) out = Base::none;
    if (metric.name == names::kBackupReadable && metric.value == 0) out = Base::unreadable;
  }
  return out;
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  const auto* primary = evidence.primary();
  const auto enabled = primary != nullptr ? primary->value(names::kArchiveEnabled) : std::nullopt;
  if (!enabled) {
    out.inconclusive(Reason::unreadable);
    out.evidence.emplace_back("could not ask a primary about its archive");
    return out;
  }
  const auto ready = primary->value(names::kArchiveReadySegments);
  const auto waits = primary->value(names::kArchiveOldestReady);
  const auto failing = primary->value(names::kArchiveFailing);
  const auto ever = primary->value(names::kArchiveLastArchived);
  if (!ready || !waits || !failing) {
    out.inconclusive(Reason::unreadable);
    out.evidence.emplace_back("the archiver's numbers are not readable for this role");
    return out;
  }
  out.measured = fmt::format("{:.0f} segments wait, longest {:.0f} s", *ready, *waits);
  out.evidence.push_back(fmt::format(
      "archiving is {}, the last attempt {}, {} was archived so far", *enabled != 0 ? "on" : "off",
      *failing != 0 ? "failed" : "succeeded", ever ? "something" : "nothing"));
  const auto base = base_backup(*primary);
  out.evidence.emplace_back(to_string(base));
  const auto* discards = evidence.answer(kDiscards);
  const bool kept = discards == nullptr || discards->rows.empty();
  if (!kept) {
    out.evidence.push_back(
        fmt::format("archive_command \"{}\" keeps nothing", discards->text(0, 0).value_or("")));
  }
  const double limit_s = std::chrono::duration<double>(keys.wait_limit).count();
  const bool works = kept && *enabled != 0 && *failing == 0 && ever && *waits <= limit_s;
  if (!works || base == Base::none) {
    out.fail();
  } else if (base == Base::good) {
    out.settings_only();
  } else {
    out.inconclusive(base == Base::unreadable ? Reason::unreadable : Reason::not_tested);
  }
  return out;
}

}  // namespace

const Check* archive_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("archive");
  return &check;
}

}  // namespace pantryd::validate
