// Age and completeness of the newest dumps. Only dumps decide: a base backup of any age belongs to
// the claim about recovery. A dump that nobody restored proves nothing, so this never passes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/units.h"
#include "validate/check.h"
#include "validate/metric_names.h"

namespace pantryd::validate {
namespace {

namespace names = metric_names;

struct Keys {
  /// Beside the limit that each folder has in the configuration; the shorter one counts.
  std::optional<double> age_limit_s;
};

Keys parse(YamlMap& map) {
  Keys out;
  if (const auto value = map.find("age_limit")) {
    out.age_limit_s = std::chrono::duration<double>(value->as_duration()).count();
  }
  return out;
}

Needs needs(const Keys&) {
  return {};
}

std::string seconds_text(double seconds) {
  return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

/// What the folders of dumps show together.
struct Seen {
  bool any = false;
  bool bad = false;
  bool unreadable = false;
  std::optional<double> oldest_s;  ///< of the newest dump of each folder
};

void add_folder(const Keys& keys, const ServerEvidence& server, const ServerMetric& readable,
                Seen& seen, Judgement& out) {
  const auto label = readable.label("name") + " (" + readable.label("kind") + ")";
  if (readable.value == 0) {
    seen.unreadable = true;
    out.evidence.push_back(fmt::format("{}: the folder could not be looked at", label));
    return;
  }
  seen.any = true;
  const auto age = server.value(names::kBackupAge, readable.labels);
  auto limit = server.value(names::kBackupAgeLimit, readable.labels);
  if (limit && keys.age_limit_s) limit = std::min(*limit, *keys.age_limit_s);
  const auto failed = server.value(names::kBackupNewestFailed, readable.labels);
  const auto count = server.value(names::kBackupCount, readable.labels);
  const bool none = !age && count && *count == 0;  // without an age, because there is no dump
  if (!limit || !failed || (!age && !none)) {
    seen.unreadable = true;
    out.evidence.push_back(fmt::format("{}: {} could not be read", label,
                                       !limit    ? "the limit of age"
                                       : !failed ? "the newest attempt"
                                                 : "the age"));
    return;
  }
  seen.bad = seen.bad || none || *failed != 0 || *age > *limit;
  if (age) seen.oldest_s = std::max(*age, seen.oldest_s.value_or(0));
  out.evidence.push_back(fmt::format(
      "{}: age {}, limit {}, {}", label, age ? seconds_text(*age) : "none", seconds_text(*limit),
      *failed != 0 ? "the newest attempt failed" : "the newest attempt is complete"));
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  Seen seen;
  for (const auto& server : evidence.servers) {
    for (const auto& metric : server.metrics) {
      if (metric.name != names::kBackupReadable || metric.label("kind") != "pg_dump") continue;
      add_folder(keys, server, metric, seen, out);
    }
  }
  if (seen.any) {
    out.measured = "newest dump: " + (seen.oldest_s ? seconds_text(*seen.oldest_s) : "none");
  }
  if (!seen.any && !seen.unreadable) {
    out.evidence.emplace_back("no folder of dumps is configured: could not look");
  } else if (seen.bad) {
    out.fail();
  } else if (seen.unreadable) {
    out.inconclusive(Reason::unreadable);
  } else {
    out.settings_only();
  }
  return out;
}

}  // namespace

const Check* backups_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("backups");
  return &check;
}

}  // namespace pantryd::validate
