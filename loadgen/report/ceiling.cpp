// The forms of a search: JSON, whose names are an API, and text.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "loadgen/evidence/maybe_json.h"
#include "loadgen/report/ceiling_forms.h"

namespace pantryd::loadgen {
namespace {

using Json = nlohmann::ordered_json;

double seconds(std::chrono::milliseconds value) {
  return static_cast<double>(value.count()) / 1000;
}

Json settings_json(const CeilingOptions& options) {
  Json slos = Json::object();
  for (const auto& each : options.load.workload.operations) {
    slos[each.name] = each.slo_p99 ? Json(each.slo_p99->count()) : Json();
  }
  return {{"workload", options.load.workload.name},
          {"workload_file", options.load.workload.source},
          {"only", options.only.empty() ? Json() : Json(options.only)},
          {"mode", to_string(options.load.mode)},
          {"users", options.load.users},
          {"connections", options.load.connections},
          {"seed", options.load.seed},
          {"trial_s", seconds(options.search.trial)},
          {"budget_s", seconds(options.search.budget)},
          {"width_max", options.search.width_max},
          {"confirmations", options.search.confirmations},
          {"checkpoints", to_string(options.checkpoints)},
          {"slo_p99_us", std::move(slos)}};
}

Json trials_json(const Ceiling& ceiling) {
  auto out = Json::array();
  for (std::size_t i = 0; i < ceiling.search.points.size(); ++i) {
    const auto& [trial, outcome] = ceiling.search.points[i];
    Json each = {{"purpose", to_string(trial.purpose)},
                 {"rate_per_s", trial.rate_per_s ? Json(*trial.rate_per_s) : Json("max")},
                 {"duration_s", seconds(trial.duration)},
                 {"null_target", trial.null_target},
                 {"verdict", to_string(outcome.verdict)},
                 {"reason", outcome.reason},
                 {"bottleneck", outcome.bottleneck},
                 {"completed_per_s", outcome.completed_per_s},
                 {"p99_us", outcome.p99_us},
                 {"taken_s", seconds(outcome.taken)}};
    const auto size = i < ceiling.growth.after_bytes.size() ? ceiling.growth.after_bytes[i] : -1;
    each["database_bytes"] = size >= 0 ? Json(size) : Json();
    out.push_back(std::move(each));
  }
  return out;
}

std::string growth_text(const Growth& growth) {
  if (growth.before_bytes < 0 || growth.after_bytes.empty()) return {};
  if (growth.after_bytes.back() < 0) return {};
  return fmt::format("the database grew from {} to {}\n", format_bytes(growth.before_bytes),
                     format_bytes(growth.after_bytes.back()));
}

}  // namespace

std::string to_json(const Ceiling& ceiling) {
  Json out = {{"format", "pantryd.find_max"}, {"version", 2}};
  out["started_at"] = ceiling.started_at;
  out["taken_s"] = ceiling.taken_s;
  out["target"] = ceiling.target;
  out["server"] = {{"version", ceiling.server_version}};
  out["settings"] = settings_json(ceiling.options);
  out["dataset"] = nullptr;
  if (ceiling.dataset) {
    out["dataset"] = {{"seed", ceiling.dataset->seed},
                      {"products", ceiling.dataset->products},
                      {"sales", ceiling.dataset->sales},
                      {"days", ceiling.dataset->days}};
  }
  out["verdict"] = to_string(ceiling.search.verdict);
  out["reasons"] = ceiling.search.reasons;
  out["notes"] = ceiling.notes;
  out["low_per_s"] = maybe(ceiling.search.low_per_s);
  out["high_per_s"] = maybe(ceiling.search.high_per_s);
  out["width"] = maybe(ceiling.search.width());
  out["confirmed"] = ceiling.search.confirmed;
  out["transactions_per_operation"] = maybe(ceiling.transactions_per_operation);
  out["closed_loop_per_s"] = maybe(ceiling.search.closed_loop_per_s);
  out["base_p99_us"] = maybe(ceiling.search.base_p99_us);
  const auto limit = ceiling.search.bottleneck();
  out["bottleneck"] = limit.empty() ? Json() : Json(limit);
  out["hysteresis"] = maybe(ceiling.search.hysteresis);
  out["client"] = {{"ceiling_per_s", maybe(ceiling.search.client_ceiling_per_s)},
                   {"limit_per_s", maybe(ceiling.search.client_limit_per_s)}};
  out["checkpoints_seen"] = ceiling.checkpoints_seen;
  out["database_bytes_before"] =
      ceiling.growth.before_bytes >= 0 ? Json(ceiling.growth.before_bytes) : Json();
  out["trials"] = trials_json(ceiling);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_text(const Ceiling& ceiling) {
  const auto rate = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.1f}/s", *value) : std::string("not known");
  };
  std::string out = fmt::format(
      "{}: {} users over {} connections ({}), PostgreSQL {}, {} trials in {}\n",
      ceiling.options.load.workload.name, ceiling.options.load.users,
      ceiling.options.load.connections, to_string(ceiling.options.load.mode),
      ceiling.server_version, ceiling.search.points.size(),
      format_duration(
          std::chrono::milliseconds(static_cast<std::int64_t>(ceiling.taken_s * 1000))));
  out += fmt::format("sustainable: {}, not: {}", rate(ceiling.search.low_per_s),
                     rate(ceiling.search.high_per_s));
  if (const auto width = ceiling.search.width())
    out += fmt::format(" (width {:.1f} %)", 100 * *width);
  out += fmt::format(", confirmed {} times over {} checkpoints\n", ceiling.search.confirmed,
                     ceiling.checkpoints_seen);
  out += fmt::format("closed loop: {} (an upper bound); client alone: {}\n",
                     rate(ceiling.search.closed_loop_per_s),
                     rate(ceiling.search.client_ceiling_per_s));
  if (const auto limit = ceiling.search.bottleneck(); !limit.empty()) {
    out += "what limits: " + limit + "\n";
  }
  if (ceiling.search.hysteresis) {
    out += fmt::format("hysteresis: {}\n", *ceiling.search.hysteresis ? "yes" : "none");
  }
  out += growth_text(ceiling.growth);
  for (const auto& note : ceiling.notes) out += note + "\n";
  out += fmt::format("verdict: {}\n", to_string(ceiling.search.verdict));
  for (const auto& reason : ceiling.search.reasons) out += "  " + reason + "\n";
  return out;
}

}  // namespace pantryd::loadgen
