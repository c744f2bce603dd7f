// A standby streams from the primary, and is not far behind after the load.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "validate/check.h"
#include "validate/keys.h"
#include "validate/metric_names.h"

namespace pantryd::validate {
namespace {

namespace names = metric_names;

struct Keys {
  std::int64_t lag_limit_bytes = std::int64_t{64} << 20;
};

Keys parse(YamlMap& map) {
  Keys out;
  if (const auto value = map.find("lag_limit")) out.lag_limit_bytes = size_of(*value);
  return out;
}

Needs needs(const Keys&) {
  return {};
}

/// False when a server is down, or a standby does not receive.
bool add_servers(const Evidence& evidence, Judgement& out) {
  bool receiving = true;
  for (const auto& server : evidence.servers) {
    if (!server.up) {
      receiving = false;
      out.evidence.push_back(fmt::format("{} is down: {}", server.name, server.problem));
    } else if (server.standby) {
      const bool streams = server.value(names::kReceiverStreaming).value_or(0) != 0;
      receiving = receiving && streams;
      out.evidence.push_back(
          fmt::format("{} {}", server.name, streams ? "receives" : "does not receive"));
    }
  }
  return receiving;
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
  double lag_bytes = 0;
  for (const auto& metric : primary->metrics) {
    if (metric.name == names::kReplicationTotalBytes) lag_bytes = std::max(lag_bytes, metric.value);
  }
  const auto lag = format_bytes(static_cast<std::int64_t>(lag_bytes));
  out.measured = fmt::format("{:.0f} standby, {} behind", *standbys, lag);
  out.evidence.push_back(
      fmt::format("{:.0f} standby streams from {}; after the load it is {} behind, limit {}",
                  *standbys, primary->name, lag, format_bytes(keys.lag_limit_bytes)));
  const bool receiving = add_servers(evidence, out);
  if (*standbys >= 1 && receiving && lag_bytes <= static_cast<double>(keys.lag_limit_bytes)) {
    out.pass();
  } else {
    out.fail();
  }
  return out;
}

}  // namespace

const Check* replication_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("replication");
  return &check;
}

}  // namespace pantryd::validate
