// The check command: runs every probe once and exits like a Nagios plugin. A probe that could not
// run is UNKNOWN, and UNKNOWN outweighs WARNING, because it may hide something worse.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "base/units.h"
#include "cli/command.h"
#include "cli/look.h"
#include "cli/pool_advice.h"
#include "probes/engine/snapshot.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

enum class Level { ok = 0, warning = 1, critical = 2, unknown = 3 };

const char* name_of(Level level) {
  switch (level) {
    case Level::ok:
      return "OK";
    case Level::warning:
      return "WARNING";
    case Level::critical:
      return "CRITICAL";
    case Level::unknown:
      return "UNKNOWN";
  }
  return "UNKNOWN";
}

int weight(Level level) {
  switch (level) {
    case Level::ok:
      return 0;
    case Level::warning:
      return 1;
    case Level::unknown:
      return 2;
    case Level::critical:
      return 3;
  }
  return 3;
}

struct Finding {
  std::string target;
  std::string probe;
  Level level = Level::ok;
  std::string text;
};

/// The samples of one probe by metric name.
class Samples {
 public:
  explicit Samples(const probes::ProbeState& probe) : probe_(probe) {}
  [[nodiscard]] std::optional<double> first(const std::string& metric) const {
    for (const auto* sample : all(metric)) return sample->value;
    return std::nullopt;
  }
  [[nodiscard]] std::vector<const probes::Sample*> all(const std::string& metric) const {
    std::vector<const probes::Sample*> out;
    if (!probe_.samples) return out;
    for (const auto& sample : *probe_.samples) {
      if (sample.metric->name == metric) out.push_back(&sample);
    }
    return out;
  }

 private:
  const probes::ProbeState& probe_;
};

std::string age_text(double seconds) {
  return format_duration(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000)));
}

Level above(double value, double warning, double critical) {
  if (value > critical) return Level::critical;
  return value > warning ? Level::warning : Level::ok;
}

void judge_connections(const Samples& values, Finding& out) {
  const auto used = values.first("pantryd_connections_used");
  const auto limit = values.first("pantryd_connections_limit");
  if (!used || !limit || *limit <= 0) {
    out.level = Level::unknown;
    out.text = "how many connections are open is not known";
    return;
  }
  out.level = above(*used / *limit, 0.8, 0.95);
  out.text = fmt::format("{:.0f} of {:.0f} connections", *used, *limit);
}

void judge_archiver(const Samples& values, Finding& out) {
  const auto enabled = values.first("pantryd_archive_enabled");
  if (enabled && *enabled == 0) {
    out.level = Level::warning;
    out.text = "WAL archiving is off";
    return;
  }
  const auto ready = values.first("pantryd_archive_ready_segments");
  const auto waits = values.first("pantryd_archive_oldest_ready_seconds");
  const auto failing = values.first("pantryd_archive_failing");
  if (failing.value_or(0) != 0) {
    out.level = Level::critical;
  } else {
    out.level = ready && waits && failing ? above(*waits, 120, 900) : Level::unknown;
  }
  out.text = ready && waits
                 ? fmt::format("{:.0f} segments wait, the oldest for {}", *ready, age_text(*waits))
                 : "how many segments wait is not known";
  if (!failing) out.text += ", nor whether the last attempt failed";
  if (failing.value_or(0) != 0) out.text += ", and the last attempt failed";
}

void judge_replication(const Samples& values, Finding& out) {
  const auto standbys = values.first("pantryd_replication_standbys");
  std::optional<double> lag;
  for (const auto* sample : values.all("pantryd_replication_total_bytes")) {
    lag = std::max(lag.value_or(0), sample->value);
  }
  if (!standbys || (*standbys > 0 && !lag)) {
    out.level = Level::unknown;
    out.text = standbys ? "how far the standbys are behind is not known"
                        : "how many standbys there are is not known";
    return;
  }
  out.text = fmt::format("{:.0f} standby", *standbys);
  if (!lag) return;
  out.level = above(*lag, 50e6, 100e6);
  out.text += fmt::format(", at most {} behind", format_bytes(static_cast<std::int64_t>(*lag)));
}

void judge_standby(const Samples& values, Finding& out) {
  const auto streams = values.first("pantryd_standby_receiver_streaming");
  const auto delay = values.first("pantryd_standby_replay_delay_seconds");
  if (streams && *streams == 0) {
    out.level = Level::critical;
  } else {
    out.level = streams && delay ? above(*delay, 30, 300) : Level::unknown;
  }
  out.text = !streams ? "whether it streams is not known"
                      : (*streams != 0 ? "streams" : "does not stream");
  out.text += delay ? ", delay " + age_text(*delay) : ", its delay is not known";
}

void judge_backup(const Samples& values, Finding& out) {
  std::string text;
  for (const auto* readable : values.all("pantryd_backup_readable")) {
    const auto of = [&](const char* metric) -> std::optional<double> {
      for (const auto* sample : values.all(metric)) {
        if (sample->labels == readable->labels) return sample->value;
      }
      return std::nullopt;
    };
    std::string name;
    for (const auto& [label, value] : readable->labels) {
      if (label == "name") name = value;
    }
    Level level = Level::ok;
    std::string said;
    const auto age = of("pantryd_backup_age_seconds");
    if (readable->value == 0) {
      level = Level::unknown;
      said = "could not be read";
    } else if (!age) {
      level = Level::critical;
      said = "no good backup";
    } else {
      const auto newest_failed = of("pantryd_backup_newest_failed");
      const auto limit = of("pantryd_backup_age_limit_seconds");
      const bool failed = newest_failed.value_or(0) != 0;
      const bool late = limit && *age > *limit;
      level =
          failed || late ? Level::critical : (newest_failed && limit ? Level::ok : Level::unknown);
      said = age_text(*age) + " old" + (failed ? ", and a later attempt failed" : "");
    }
    if (weight(level) > weight(out.level)) out.level = level;
    text += (text.empty() ? "" : "; ") + name + " " + said;
  }
  out.text = text;
}

Finding judge(const std::string& target, const probes::ProbeState& probe) {
  Finding out{target, probe.name, Level::ok, ""};
  if (probe.outcome == probes::Outcome::not_applicable) {
    out.text = "does not apply here";
    return out;
  }
  if (probe.outcome != probes::Outcome::ok) {
    out.level = Level::unknown;
    out.text = fmt::format("{}: {}", to_string(probe.outcome), probe.error);
    return out;
  }
  using Judge = void (*)(const Samples&, Finding&);
  static const std::map<std::string, Judge> judges{{"activity", judge_connections},
                                                   {"archiver", judge_archiver},
                                                   {"replication", judge_replication},
                                                   {"standby", judge_standby},
                                                   {"backup", judge_backup}};
  out.text = fmt::format("{} rows", probe.rows);
  if (const auto found = judges.find(probe.name); found != judges.end()) {
    found->second(Samples(probe), out);
  }
  return out;
}

std::vector<Finding> judge(const probes::TargetSnapshot& target) {
  if (!target.up) return {{target.target, "up", Level::critical, target.down_reason}};
  std::vector<Finding> out;
  out.reserve(target.probes.size());
  for (const auto& probe : target.probes) out.push_back(judge(target.target, *probe));
  return out;
}

void print_findings(Level worst, const std::vector<Finding>& findings,
                    const std::vector<TargetPoolAdvice>* advice, bool as_json) {
  if (as_json) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& each : findings) {
      list.push_back({{"target", each.target},
                      {"probe", each.probe},
                      {"level", name_of(each.level)},
                      {"text", each.text}});
    }
    nlohmann::json json{
        {"format", "pantryd.check"}, {"version", 1}, {"level", name_of(worst)}, {"findings", list}};
    if (advice != nullptr) {
      json["pool_advice"] = nlohmann::json::array();
      for (const auto& each : *advice) json["pool_advice"].push_back(to_json(each));
    }
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("PANTRYD {}\n", name_of(worst));
  for (const auto& each : findings) {
    fmt::print("{:<9} {:<12} {:<12} {}\n", name_of(each.level), each.target, each.probe, each.text);
  }
  if (advice == nullptr) return;
  for (const auto& each : *advice) fmt::print("{}", render(each));
}

int run_check(const Context& context, const Values& values) {
  const auto advise = read_pool_advice_options(values);
  const auto settings = load_settings(context);
  Level worst = Level::ok;
  std::vector<Finding> findings;
  std::set<std::string> up;
  for (const auto& target : look_once(settings, context.stop)) {
    if (target->up) up.insert(target->target);
    for (auto& finding : judge(*target)) {
      if (weight(finding.level) > weight(worst)) worst = finding.level;
      findings.push_back(std::move(finding));
    }
  }
  std::vector<TargetPoolAdvice> advice;
  if (advise) advice = advise_pools(settings, up, *advise, context.stop);
  for (const auto& each : advice) {
    // The one thing about sizes that is wrong whatever the load.
    if (each.advice.cannot_fit && weight(worst) < weight(Level::warning)) worst = Level::warning;
  }
  print_findings(worst, findings, advise ? &advice : nullptr, context.json);
  return static_cast<int>(worst);
}

}  // namespace

Command check_command() {
  return {.name = "check",
          .summary = "run every probe once; exits like a Nagios plugin",
          .usage = "[--config FILE] [--advise]",
          .options = pool_advice_options(),
          .examples = {"pantryd check --config /etc/pantryd/pantryd.yaml",
                       "pantryd check --dsn postgresql://127.0.0.1/shop --advise --advise-for 10s"},
          .exits = {{0, "OK"},
                    {1, "WARNING"},
                    {2, "CRITICAL, a target that cannot be reached, or wrong usage"},
                    {3, "UNKNOWN: a probe could not run"}},
          .run = run_check};
}

}  // namespace pantryd::cli
