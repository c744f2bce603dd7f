// A standby streams from the primary, and is not far behind after the load. Without a failover that
// was tried, this never passes.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/units.h"
#include "validate/check.h"
#include "validate/keys.h"
#include "validate/metric_names.h"
#include "validate/promises.h"

namespace pantryd::validate {
namespace {

namespace names = metric_names;

constexpr std::int64_t kLagLimitMax = std::int64_t{1} << 40;

struct Keys {
  std::int64_t lag_limit_bytes = std::int64_t{64} << 20;
};

Keys parse(YamlMap& map) {
  Keys out;
  const auto value = map.find("lag_limit");
  if (!value) return out;
  out.lag_limit_bytes = size_of(*value);
  if (out.lag_limit_bytes > kLagLimitMax) {
    throw value->error("a lag_limit above 1 TB is never reached", "Write it as in 64MB.");
  }
  return out;
}

Needs needs(const Keys&) {
  return {{}, promise_queries()};
}

void add_servers(const Evidence& evidence, Seen& seen, Judgement& out) {
  for (const auto& server : evidence.servers) {
    if (!server.up) {
      seen.bad = true;
      out.evidence.push_back(fmt::format("{} is down: {}", server.name, server.problem));
      continue;
    }
    if (!server.standby) continue;
    const auto streams = server.value(names::kReceiverStreaming);
    seen.unreadable = seen.unreadable || !streams;
    seen.bad = seen.bad || (streams && *streams == 0);
    out.evidence.push_back(fmt::format("{} {}", server.name,
                                       !streams        ? "does not show whether it receives"
                                       : *streams != 0 ? "receives"
                                                       : "does not receive"));
    const auto paused = server.value(names::kReplayPaused);
    if (paused && *paused != 0) {
      seen.bad = true;
      out.evidence.push_back(fmt::format("replay is paused on {}", server.name));
    }
  }
}

/// The lag of each standby that reports one; nothing stands for one that does not.
std::vector<double> lags_of(const ServerEvidence& primary) {
  std::vector<double> out;
  for (const auto& metric : primary.metrics) {
    if (metric.name == names::kReplicationTotalBytes) out.push_back(metric.value);
  }
  return out;
}

void add_lag(const ServerEvidence& primary, double standbys, const Keys& keys, Seen& seen,
             Judgement& out) {
  const auto lags = lags_of(primary);
  const auto silent = standbys - static_cast<double>(lags.size());
  if (silent > 0) {
    seen.unreadable = true;
    out.evidence.push_back(fmt::format(
        "{:.0f} of {:.0f} standbys do not show what they have replayed", silent, standbys));
  }
  if (lags.empty()) {
    out.measured = fmt::format("{:.0f} standby, lag unknown", standbys);
    return;
  }
  const auto worst = *std::max_element(lags.begin(), lags.end());
  const auto text = format_bytes(static_cast<std::int64_t>(worst));
  seen.bad = seen.bad || worst > static_cast<double>(keys.lag_limit_bytes);
  out.measured = fmt::format("{:.0f} standby, {} behind", standbys, text);
  out.evidence.push_back(
      fmt::format("{:.0f} standby streams from {}; after the load it is {} behind, limit {}",
                  standbys, primary.name, text, format_bytes(keys.lag_limit_bytes)));
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  const auto* primary = evidence.primary();
  const auto standbys =
      primary != nullptr ? primary->value(names::kReplicationStandbys) : std::nullopt;
  if (!standbys) {
    out.inconclusive(Reason::unreadable);
    out.evidence.emplace_back("could not ask a primary for its standbys");
    return out;
  }
  Seen seen;
  if (*standbys < 1) {
    seen.bad = true;
    out.measured = "no standby";
    out.evidence.push_back(fmt::format("no standby streams from {}", primary->name));
  } else {
    add_lag(*primary, *standbys, keys, seen, out);
  }
  add_servers(evidence, seen, out);
  add_promise(evidence, seen, out);
  seen.conclude(out);
  return out;
}

}  // namespace

const Check* replication_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("replication");
  return &check;
}

}  // namespace pantryd::validate
