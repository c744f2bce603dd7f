// Measures the demand on each target twice and turns the difference into advice. Invariant: each
// thread writes only its own element of the result.
#include "cli/pool_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/error.h"
#include "base/units.h"

namespace pantryd::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWindowLeast{1'000};  // sessions report once a second
constexpr milliseconds kWindowMost{600'000};
constexpr double kCoresMax = 4096;
constexpr double kPoolsMax = 10'000;
constexpr milliseconds kStatementLimit{5'000};
/// Of our own session between the two measurements: the first one, and the query for the slots.
constexpr double kOwnTransactions = 2;

/// True if this machine has the server's process, and the connection does not leave the machine.
/// Both, because a tunnel ends on loopback too, and process numbers repeat on other machines.
bool is_on_this_machine(pg::Connection& connection, const pg::Conninfo& where) {
  const auto host = where.get("hostaddr").empty() ? where.get("host") : where.get("hostaddr");
  const bool near = host.empty() || host[0] == '/' || host[0] == '@' || host == "localhost" ||
                    host == "::1" || host.rfind("127.", 0) == 0;
  if (!near || host.find(',') != std::string::npos) return false;
  const auto pid = connection.exec("SELECT pg_backend_pid()", Deadline::in(kStatementLimit));
  std::ifstream file(fmt::format("/proc/{}/comm", pid.i64(0, 0)));
  std::string name;
  return static_cast<bool>(std::getline(file, name)) && name.rfind("postgres", 0) == 0;
}

void find_cores(pg::Connection& connection, const pg::Conninfo& where,
                const PoolAdviceOptions& options, TargetPoolAdvice& out) {
  if (options.server_cores) {
    out.inputs.cores = options.server_cores;
    out.cores_from = "--server-cores";
    return;
  }
  const auto here = static_cast<std::int32_t>(std::thread::hardware_concurrency());
  if (here < 1 || !is_on_this_machine(connection, where)) return;
  out.inputs.cores = here;
  out.cores_from = "this machine, where the server runs";
}

void measure(const TargetSettings& target, const Settings& settings,
             const PoolAdviceOptions& options, const StopFlag* stop, TargetPoolAdvice& out) {
  const auto connect = pg::watching_session("pantryd", settings.probes.lock_timeout, stop);
  const auto where = target.login();
  auto connection =
      pg::Connection::connect(where, Deadline::in(settings.probes.connect_timeout), connect);
  find_cores(connection, where, options, out);
  const auto first = pool::look_at_demand(connection, Deadline::in(kStatementLimit));
  const auto room = pool::look_at_room(connection, Deadline::in(kStatementLimit));
  if (stop == nullptr) {
    std::this_thread::sleep_for(options.window);
  } else if (stop->wait(Deadline::in(options.window))) {
    throw Error(ExitCode::failed, "interrupted");
  }
  const auto second = pool::look_at_demand(connection, Deadline::in(kStatementLimit));
  out.window = pool::between(first, second, kOwnTransactions);
  out.average = pool::since_reset(second);
  out.inputs.max_connections = room.max_connections;
  out.inputs.superuser_reserved_connections = room.superuser_reserved_connections;
  out.inputs.reserved_connections = room.reserved_connections;
  out.inputs.others_now = room.others_now;
  out.connections_now = room.here_now;
}

TargetPoolAdvice advise_one(const TargetSettings& target, const Settings& settings,
                            const PoolAdviceOptions& options, const StopFlag* stop) {
  TargetPoolAdvice out;
  out.target = target.name;
  out.configured = target.pool;
  out.inputs.pools = options.pools;
  if (target.pool.configured) out.inputs.configured_max = target.pool.max;
  try {
    measure(target, settings, options, stop, out);
  } catch (const std::exception& error) {
    out.failure = error.what();
    return out;
  }
  if (const auto* basis = pool::busier(out.window, out.average)) {
    out.inputs.demand = basis->demand;
    out.basis = basis == &out.window ? "window" : "average";
  }
  out.advice = pool::advise(out.inputs);
  return out;
}

std::string span_text(double span_s) {
  return format_duration(milliseconds(static_cast<std::int64_t>(span_s * 1e3)));
}

std::string window_text(const pool::DemandWindow& window) {
  if (!window.demand) return window.why_not;
  const auto& demand = *window.demand;
  return fmt::format(
      "{:.1f} transactions a second, each {:.1f} ms from its first statement to its end, {:.1f} ms "
      "of it at work",
      demand.arrivals_per_s, demand.hold_s * 1e3, demand.busy_s * 1e3);
}

nlohmann::json window_json(const pool::DemandWindow& window) {
  nlohmann::json out{{"span_s", window.span_s},
                     {"transactions", window.transactions},
                     {"session_s", window.session_s}};
  if (!window.demand) {
    out["why_not"] = window.why_not;
    return out;
  }
  out["arrivals_per_s"] = window.demand->arrivals_per_s;
  out["hold_s"] = window.demand->hold_s;
  out["busy_s"] = window.demand->busy_s;
  out["concurrency"] = window.demand->arrivals_per_s * window.demand->hold_s;
  return out;
}

std::string headline(const TargetPoolAdvice& it) {
  const auto& advice = it.advice;
  std::string out;
  if (advice.max) {
    out = fmt::format("min {}, max {} ({})", *advice.min, *advice.max,
                      advice.binds == pool::Binding::demand ? "the load binds"
                      : advice.binds == pool::Binding::knee ? "the cores bind"
                                                            : "the slots bind");
  } else if (!it.inputs.demand) {
    out = "no load to measure";
    const auto most = advice.knee ? std::min(*advice.knee, advice.slots) : advice.slots;
    out += fmt::format("; at most {} {}", most, advice.knee ? "" : "by the slots alone");
    out = one_line(out);
  } else {
    out = "no slot is left";
  }
  if (it.inputs.pools > 1) out += fmt::format(", for each of {} pools", it.inputs.pools);
  return out + (it.configured.configured ? fmt::format("; configured: min {}, max {}",
                                                       it.configured.min, it.configured.max)
                                         : fmt::format("; not configured, the default is {} to {}",
                                                       it.configured.min, it.configured.max));
}

}  // namespace

std::vector<Option> pool_advice_options() {
  return {
      flag("advise", "also advise a size for the pools, from the load as it is now"),
      duration("advise-for", "3s", kWindowLeast, kWindowMost, "how long to watch the load"),
      count("server-cores", "N", "", {1, kCoresMax},
            "cores of the database server; read from this machine if the server runs here"),
      count("pools", "N", "1", {1, kPoolsMax}, "processes with such a pool"),
  };
}

std::optional<PoolAdviceOptions> read_pool_advice_options(const Values& values) {
  if (!values.flag("advise")) {
    for (const char* name : {"advise-for", "server-cores", "pools"}) {
      if (!values.given(name)) continue;
      throw Error(ExitCode::usage, fmt::format("--{} has no effect without --advise", name),
                  "Add --advise.");
    }
    return std::nullopt;
  }
  PoolAdviceOptions out;
  out.window = values.duration("advise-for");
  out.pools = static_cast<std::int32_t>(values.count("pools"));
  if (values.given("server-cores")) {
    out.server_cores = static_cast<std::int32_t>(values.count("server-cores"));
  }
  return out;
}

std::vector<TargetPoolAdvice> advise_pools(const Settings& settings,
                                           const std::set<std::string>& up,
                                           const PoolAdviceOptions& options, const StopFlag* stop) {
  std::vector<const TargetSettings*> targets;
  for (const auto& target : settings.targets) {
    if (up.count(target.name) > 0) targets.push_back(&target);
  }
  std::vector<TargetPoolAdvice> out(targets.size());
  std::vector<std::jthread> threads;
  threads.reserve(targets.size());
  for (std::size_t i = 0; i < targets.size(); ++i) {
    threads.emplace_back([&, i] { out[i] = advise_one(*targets[i], settings, options, stop); });
  }
  threads.clear();  // joins
  return out;
}

std::string render(const TargetPoolAdvice& it) {
  if (!it.failure.empty()) {
    return fmt::format("pool advice for {}: not measured: {}\n", it.target, it.failure);
  }
  std::string out = fmt::format("pool advice for {}: {}\n", it.target, headline(it));
  const auto marked = [&](const char* which) { return it.basis == which ? " (followed)" : ""; };
  out += fmt::format("  in the last {}{}: {}\n", span_text(it.window.span_s), marked("window"),
                     window_text(it.window));
  out += fmt::format("  since the statistics were reset{}{}: {}\n",
                     it.average.span_s > 0 ? ", " + span_text(it.average.span_s) + " ago" : "",
                     marked("average"), window_text(it.average));
  out += fmt::format("  {} session(s) of this database now\n", it.connections_now);
  for (const auto& reason : it.advice.reasons) out += "  " + reason + "\n";
  if (!it.cores_from.empty())
    out += fmt::format("  The number of cores is from {}.\n", it.cores_from);
  for (const auto& warning : it.advice.warnings) out += "  WARNING: " + warning + "\n";
  return out;
}

nlohmann::json to_json(const TargetPoolAdvice& it) {
  nlohmann::json out{{"target", it.target}};
  if (!it.failure.empty()) {
    out["failure"] = it.failure;
    return out;
  }
  const auto maybe = [](const auto& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
  };
  const auto or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::json(nullptr) : nlohmann::json(text);
  };
  out["min"] = maybe(it.advice.min);
  out["max"] = maybe(it.advice.max);
  out["binds"] = pool::to_string(it.advice.binds);
  out["concurrency"] = maybe(it.advice.concurrency);
  out["knee"] = maybe(it.advice.knee);
  out["slots"] = it.advice.slots;
  out["pools"] = it.inputs.pools;
  out["cores"] = maybe(it.inputs.cores);
  out["cores_from"] = or_null(it.cores_from);
  out["configured_max"] = maybe(it.inputs.configured_max);
  out["cannot_fit"] = it.advice.cannot_fit;
  out["window"] = window_json(it.window);
  out["average"] = window_json(it.average);
  out["follows"] = or_null(it.basis);
  out["reasons"] = it.advice.reasons;
  out["warnings"] = it.advice.warnings;
  return out;
}

}  // namespace pantryd::cli
