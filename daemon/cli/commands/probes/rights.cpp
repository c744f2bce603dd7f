// The probes rights command: what our role cannot see on each target, and the grant that helps.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "cli/command.h"
#include "cli/look.h"
#include "pg/identifier.h"
#include "probes/engine/run.h"
#include "serve/targets.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

struct Missing {
  std::string target;
  std::string probe;
  std::string database;
  std::string what;   ///< "sees less without pg_monitor", or the server's message
  std::string grant;  ///< a statement; empty if only the server's message is known
};

/// One role is enough: the first that the probe names is the narrowest.
Missing of_rights(const TargetSettings& target, const probes::ProbeState& probe) {
  const auto& right = probe.missing_rights.front();
  const auto user = target.dsn.get("user");
  return {target.name, probe.name, probe.database, "sees less, or nothing, without " + right,
          fmt::format("GRANT {} TO {}", right,
                      user.empty() ? "CURRENT_USER" : pg::quote_identifier(user))};
}

bool was_refused(const probes::ProbeState& probe) {
  return probe.outcome == probes::Outcome::error && probe.error.find("42501") != std::string::npos;
}

std::vector<Missing> missing_of(const Settings& settings, const probes::TargetSnapshot& target) {
  std::vector<Missing> out;
  const auto of_target = std::find_if(settings.targets.begin(), settings.targets.end(),
                                      [&](const auto& each) { return each.name == target.target; });
  for (const auto& probe : target.probes) {
    if (!probe->missing_rights.empty() && of_target != settings.targets.end()) {
      out.push_back(of_rights(*of_target, *probe));
    } else if (was_refused(*probe)) {
      out.push_back({target.target, probe->name, probe->database, probe->error, ""});
    }
  }
  return out;
}

std::map<std::string, std::vector<std::string>> metrics_by_probe(const Settings& settings) {
  std::map<std::string, std::vector<std::string>> out;
  const auto list = probe_list(settings);  // held: the loop would outlive a temporary
  for (const auto& row : list.rows()) {
    for (const auto& metric : row.description.metrics) {
      out[row.description.name].push_back(metric.info.name);
    }
  }
  return out;
}

void print_missing(const Missing& each, const std::vector<std::string>& metrics) {
  fmt::print("{:<12} {:<20} {}{}\n", each.target, each.probe,
             each.database.empty() ? "" : each.database + ": ", each.what);
  for (const auto& metric : metrics) fmt::print("{:<34}{}\n", "", metric);
}

int run_probes_rights(const Context& context, const Values&) {
  const auto settings = load_settings(context);
  const auto metrics = metrics_by_probe(settings);
  nlohmann::json list = nlohmann::json::array();
  std::set<std::string> grants;
  std::string unreachable;
  for (const auto& target : look_once(settings, context.stop)) {
    if (!target->up) unreachable = target->down_reason;
    for (const auto& each : missing_of(settings, *target)) {
      const auto found = metrics.find(each.probe);
      const auto names = found == metrics.end() ? std::vector<std::string>() : found->second;
      if (!each.grant.empty()) grants.insert(each.grant);
      list.push_back({{"target", each.target},
                      {"probe", each.probe},
                      {"database", each.database},
                      {"missing", each.what},
                      {"grant", each.grant},
                      {"metrics", names}});
      if (!context.json) print_missing(each, names);
    }
  }
  if (context.json) {
    const nlohmann::json json{{"format", "pantryd.rights"}, {"version", 1}, {"missing", list}};
    fmt::print("{}\n", json.dump(2));
  } else if (list.empty() && unreachable.empty()) {
    fmt::print("every probe sees all that it asks for\n");
  }
  if (!unreachable.empty()) {
    throw Error(ExitCode::unreachable, unreachable,
                "pantryd check shows what each target answers.");
  }
  if (!context.json) {
    for (const auto& grant : grants) fmt::print("{};\n", grant);
  }
  return list.empty() ? 0 : 1;
}

}  // namespace

Command probes_rights_command() {
  return {.name = "probes rights",
          .summary = "show what our role cannot see, and grants that help",
          .usage = "[--dsn CONNINFO]",
          .options = {},
          .examples = {"pantryd probes rights --dsn postgresql://127.0.0.1/shop"},
          .exits = {{0, "every probe sees all that it asks for"},
                    {1, "a probe sees less, or nothing"},
                    kUnreachable},
          .run = run_probes_rights};
}

}  // namespace pantryd::cli
