// The shared options of load run, load find-max and load compare --live.
#include "cli/load_options.h"

#include "loadgen/drive/load.h"
#include "settings/settings.h"

namespace pantryd::cli {

std::vector<Option> workload_options() {
  return {
      choice("mode", "faithful|pipelined", "faithful",
             "one round trip a statement, as the application does, or one a transaction"),
      text("workload", "NAME|FILE", "", "grocery (the default), grocery-improved, or a YAML file"),
      text("only", "OPERATION", "", "run only this operation of the workload"),
      count("seed", "S", "1", {}, "the same seed makes the same arrivals and keys"),
  };
}

std::vector<Option> size_options() {
  return {
      count("users", "N", "0", {0, 100'000},
            "operations that run or wait at the same time; 0: one a connection"),
      count("connections", "N", "10", {1, 1000},
            "connections of the pool; a pool.max in the configuration replaces the default"),
  };
}

void read_load_options(const Values& values, loadgen::LoadOptions& out) {
  out.users = values.count("users");
  out.connections = values.count("connections");
  out.mode = loadgen::parse_mode("--mode", values.text("mode"));
  out.seed = static_cast<std::uint64_t>(values.count("seed"));
  out.workload = loadgen::load_workload(values.text("workload"));
  const auto& only = values.text("only");
  if (!only.empty()) out.workload = out.workload.only(only);
}

void take_pool(const PoolKeys& pool, const Values& values, loadgen::LoadOptions& out) {
  if (!pool.configured) return;
  out.pool = pool.to_pool_settings();
  if (!values.given("connections")) out.connections = pool.max;
}

}  // namespace pantryd::cli
