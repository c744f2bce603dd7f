// The JSON form of a load result: names are an API, values are microseconds unless they say else.
#include <nlohmann/json.hpp>

#include "loadgen/report/load_forms.h"

namespace pantryd::loadgen {
namespace {

using Json = nlohmann::ordered_json;

Json percentiles(const Histogram& histogram) {
  return {{"p50", histogram.quantile_us(0.50)}, {"p95", histogram.quantile_us(0.95)},
          {"p99", histogram.quantile_us(0.99)}, {"p999", histogram.quantile_us(0.999)},
          {"max", histogram.max_us()},          {"mean", histogram.mean_us()},
          {"count", histogram.count()},         {"overflow", histogram.overflow()}};
}

Json operation_json(const LoadResult& result, const OperationResult& operation) {
  const auto& totals = operation.totals;
  Json out = {{"name", operation.name},
              {"offered", totals.offered},
              {"completed", totals.completed},
              {"refused", totals.refused},
              {"empty", totals.empty},
              {"errors", totals.errors},
              {"not_started", totals.not_started},
              {"completed_in_window", totals.done_in_window},
              {"completed_per_s", result.completed_per_s(operation)},
              {"attempts", totals.attempts},
              {"retries", totals.retries},
              {"gave_up", totals.gave_up},
              {"misses", totals.misses()},
              {"response_us", percentiles(totals.response)},
              {"service_us", percentiles(totals.service)},
              {"wait_us", percentiles(totals.wait)}};
  out["slo"] = operation.slo_p99 ? Json{{"p99_us", operation.slo_p99->count()}} : Json();
  out["verdict"] = to_string(operation.verdict);
  out["reason"] = operation.reason;
  return out;
}

Json settings_json(const LoadResult& result) {
  const auto& options = result.options;
  Json out = {{"workload", options.workload.name},
              {"workload_file", options.workload.source},
              {"mode", to_string(options.mode)},
              {"loop", options.rate_per_s ? "open" : "closed"}};
  out["rate_per_s"] = options.rate_per_s ? Json(*options.rate_per_s) : Json("max");
  out["users"] = options.users;
  out["connections"] = options.connections;
  out["threads"] = options.threads;
  out["arrivals"] = to_string(options.arrivals);
  out["load"] = Json::array();  // how the rate moves; empty: it does not
  for (const auto& line : options.plan.lines) {
    out["load"].push_back({{"for_s", std::chrono::duration<double>(line.length).count()},
                           {"from_per_s", line.from_per_s},
                           {"to_per_s", line.to_per_s}});
  }
  out["think_s"] = std::chrono::duration<double>(options.workload.users.think).count();
  out["duration_s"] = static_cast<double>(options.duration.count()) / 1000;
  out["warmup_s"] = static_cast<double>(options.warmup.count()) / 1000;
  out["seed"] = options.seed;
  out["statement_limit_ms"] = options.statement_limit.count();
  out["drain_limit_ms"] = options.drain_limit.count();
  return out;
}

Json row_count_json(const RowCount& count) {
  return {{"table", count.table},
          {"seeded", count.seeded},
          {"rows", count.rows ? Json(*count.rows) : Json()},
          {"estimated", count.estimated},
          {"problem", count.problem.empty() ? Json() : Json(count.problem)}};
}

Json warm_up_json(const WarmUpFacts& warm_up) {
  return {{"lasted_s", warm_up.lasted_s},
          {"until_steady", warm_up.until_steady},
          {"limit_s", warm_up.limit_s},
          {"limit_reached", warm_up.limit_reached},
          {"text", warm_up.text}};
}

Json client_json(const LoadResult& result) {
  const auto& client = result.totals.client;
  const double per_operation =
      client.operations > 0 ? client.cpu_s * 1e6 / static_cast<double>(client.operations) : 0;
  return {{"cpu_us_per_operation", per_operation},
          {"cpu_share", client.measured_s > 0 ? client.cpu_s / client.measured_s : 0},
          {"cpu_wait_share", client.measured_s > 0 ? client.cpu_wait_s / client.measured_s : 0},
          {"start_lag_us", percentiles(client.start_lag)},
          {"loop_stalls", client.stalls},
          {"longest_stall_us", client.longest_stall_us},
          {"stalled_us", client.loop.stalled_us},
          {"take_over_us", percentiles(client.loop.take_over)},
          {"gap_distance", client.loop.gaps.distance()},
          {"gap_blocks", client.loop.gaps.blocks()},
          {"clock_step_s", client.loop.clock_step_s},
          {"suspended_s", client.loop.suspended_s},
          {"missing_connection_s", client.loop.missing_connection_s},
          {"priority_raised", result.priority_raised}};
}

Json self_check_json(const SelfCheck& check) {
  Json out = {{"findings", Json::array()}, {"warnings", check.warnings}};
  for (const auto& each : check.findings) {
    out["findings"].push_back(
        {{"code", each.code},
         {"kind", each.kind == Finding::Kind::client ? "client" : "surroundings"},
         {"text", each.text}});
  }
  return out;
}

Json bottleneck_json(const Bottleneck& bottleneck) {
  return {{"name", bottleneck.name}, {"text", bottleneck.text}};
}

Json invariants_json(const LoadResult& result) {
  auto out = Json::array();
  const auto shown = [](const InvariantReading& reading) {
    return reading.error.empty() ? Json(reading.shown) : Json();
  };
  for (const auto& each : result.invariants) {
    const auto& error = each.before.error.empty() ? each.after.error : each.before.error;
    out.push_back({{"name", each.name},
                   {"place", each.place},
                   {"outcome", to_string(each.outcome())},
                   {"before", shown(each.before)},
                   {"after", shown(each.after)},
                   {"error", error.empty() ? Json() : Json(error)}});
  }
  return out;
}

Json windows_json(const LoadResult& result) {
  auto out = Json::array();
  for (const auto& window : result.totals.windows) {
    out.push_back({{"second", window.second},
                   {"warmup", window.phase == Phase::warmup},
                   {"drain", window.phase == Phase::drain},
                   {"offered", window.offered},
                   {"completed", window.completed},
                   {"refused", window.refused},
                   {"empty", window.empty},
                   {"errors", window.errors},
                   {"p99_us", window.p99_us},
                   {"queued", window.queued}});
  }
  return out;
}

}  // namespace

std::string to_json(const LoadResult& result) {
  Json out = {{"format", "pantryd.load"}, {"version", 2}};
  out["started_at"] = result.started_at;
  out["target"] = result.target;
  out["server"]["version"] = result.server_version;
  for (const auto& [name, value] : result.server_settings) out["server"]["settings"][name] = value;
  out["settings"] = settings_json(result);
  if (result.dataset) {
    out["dataset"] = {{"seed", result.dataset->seed},
                      {"products", result.dataset->products},
                      {"sales", result.dataset->sales},
                      {"days", result.dataset->days}};
    out["dataset"]["rows"] = Json::array();
    for (const auto& each : result.rows) out["dataset"]["rows"].push_back(row_count_json(each));
  } else {
    out["dataset"] = nullptr;
  }
  out["verdict"] = to_string(result.verdict);
  out["reason"] = result.reason ? Json(to_string(*result.reason)) : Json();
  out["reasons"] = result.reasons;
  out["stopped_early"] = result.stopped;
  out["warm_up"] = warm_up_json(result.warm_up);
  out["measured_s"] = result.totals.client.measured_s;
  out["offered"] = result.offered();
  out["completed"] = result.completed();
  out["refused"] = result.refused();
  out["empty"] = result.empty();
  out["errors"] = result.errors();
  out["not_started"] = result.not_started();
  out["completed_in_window"] = result.done_in_window();
  out["completed_per_s"] = result.completed_per_s();
  out["drained"] = {{"completed", result.totals.drained.completed},
                    {"seconds", result.totals.drained.seconds}};
  out["operations"] = Json::array();
  for (const auto& operation : result.operations) {
    out["operations"].push_back(operation_json(result, operation));
  }
  out["invariants"] = invariants_json(result);
  out["client"] = client_json(result);
  out["self_check"] = self_check_json(result.self_check);
  out["bottleneck"] = bottleneck_json(result.bottleneck);
  out["environment"] = result.environment.to_json();
  out["users"] = {{"limit", result.options.users},
                  {"peak", result.totals.users_peak},
                  {"found_all_busy", result.totals.found_users_busy},
                  {"queue_peak", result.totals.queue_peak}};
  out["errors_by_code"] = Json::object();
  for (const auto& [code, entry] : result.totals.errors) {
    out["errors_by_code"][code] = {{"count", entry.count}, {"first", entry.first_message}};
  }
  out["outages"] = Json::array();
  for (const auto& outage : result.totals.outages) {
    out["outages"].push_back({{"from_s", outage.from_s},
                              {"to_s", outage.to_s ? Json(*outage.to_s) : Json()},
                              {"operations_failed", outage.operations_failed},
                              {"connections_lost", outage.connections_lost},
                              {"first_error", outage.first_error}});
  }
  out["windows"] = windows_json(result);
  out["evidence"] = result.evidence.to_json();
  // A message from the server may hold bytes that are not UTF-8: they must not cost the report.
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pantryd::loadgen
