// Writes a confirmed ceiling into the database that it was measured on.
#include "loadgen/capacity/ceiling_store.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace pantryd::loadgen {
namespace {

constexpr auto kLimit = std::chrono::seconds(20);
/// 1: of builds that counted what ended after the measured time as throughput; such rows stay in
/// the table, and the probe load_ceiling does not export them.
constexpr std::int64_t kResultVersion = 2;

// Others must not queue behind us while somebody else holds a lock of the catalogue.
constexpr const char* kTable =
    "BEGIN;"
    "SET LOCAL lock_timeout = '2s';"
    "CREATE SCHEMA IF NOT EXISTS pantryd;"
    "CREATE TABLE IF NOT EXISTS pantryd.load_ceiling ("
    " measured_at timestamptz NOT NULL, workload text NOT NULL, mode text NOT NULL,"
    " users bigint NOT NULL, connections bigint NOT NULL,"
    " low_per_s double precision NOT NULL, high_per_s double precision NOT NULL,"
    " transactions_per_s double precision,"
    " slo jsonb NOT NULL, server_version text NOT NULL, dataset jsonb,"
    " database_bytes bigint, hysteresis boolean,"
    " PRIMARY KEY (workload, mode, users, connections, measured_at));"
    "ALTER TABLE pantryd.load_ceiling"
    " ADD COLUMN IF NOT EXISTS result_version integer NOT NULL DEFAULT 1;"
    "GRANT USAGE ON SCHEMA pantryd TO pg_monitor;"
    "GRANT SELECT ON pantryd.load_ceiling TO pg_monitor;"
    "COMMIT";

constexpr const char* kInsert =
    "INSERT INTO pantryd.load_ceiling (measured_at, workload, mode, users, connections, low_per_s,"
    " high_per_s, transactions_per_s, slo, server_version, dataset, database_bytes, hysteresis,"
    " result_version) "
    "VALUES (now(), $1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10::jsonb, $11, $12::boolean, $13)";

constexpr const char* kForget =
    "DELETE FROM pantryd.load_ceiling WHERE measured_at < "
    "(SELECT measured_at FROM pantryd.load_ceiling ORDER BY measured_at DESC OFFSET 999 LIMIT 1)";

std::string slo_json(const Workload& workload) {
  auto out = nlohmann::json::object();
  for (const auto& each : workload.operations) {
    if (each.slo_p99) out[each.name] = {{"p99_us", each.slo_p99->count()}};
  }
  return out.dump();
}

std::optional<std::string> dataset_json(const std::optional<DatasetShape>& dataset) {
  if (!dataset) return std::nullopt;
  return nlohmann::json{{"seed", dataset->seed},
                        {"products", dataset->products},
                        {"sales", dataset->sales},
                        {"days", dataset->days}}
      .dump();
}

void insert(pg::Connection& connection, const Ceiling& ceiling, Deadline deadline) {
  const auto& load = ceiling.options.load;
  const auto& search = ceiling.search;
  pg::Params params;
  params.add(workload_label(ceiling)).add(to_string(load.mode)).add(load.users);
  params.add(load.connections).add(*search.low_per_s).add(*search.high_per_s);
  if (ceiling.transactions_per_operation) {
    params.add(*ceiling.transactions_per_operation * *search.low_per_s);
  } else {
    params.add(std::nullopt);
  }
  params.add(slo_json(load.workload)).add(ceiling.server_version);
  params.add(dataset_json(ceiling.dataset));
  const auto& sizes = ceiling.growth.after_bytes;
  if (!sizes.empty() && sizes.back() >= 0) {
    params.add(sizes.back());
  } else {
    params.add(std::nullopt);
  }
  if (search.hysteresis) {
    params.add(*search.hysteresis);
  } else {
    params.add(std::nullopt);
  }
  params.add(kResultVersion);
  connection.exec(kInsert, params, deadline);
  connection.exec(kForget, deadline);
}

}  // namespace

std::string workload_label(const Ceiling& ceiling) {
  const auto& only = ceiling.options.only;
  const auto& name = ceiling.options.load.workload.name;
  return only.empty() ? name : fmt::format("{}/{}", name, only);
}

std::string store_ceiling(const pg::Conninfo& where, const Ceiling& ceiling) {
  const auto& search = ceiling.search;
  if (search.verdict != Verdict::pass || !search.low_per_s || !search.high_per_s) {
    return "The ceiling was not stored, since none was confirmed.";
  }
  const auto deadline = Deadline::in(kLimit);
  try {
    auto connection =
        pg::Connection::connect(where.with("application_name", "pantryd-find-max"), deadline);
    const auto there = connection.exec(
        "SELECT EXISTS (SELECT FROM pg_attribute WHERE attname = 'result_version' AND NOT"
        " attisdropped AND attrelid = to_regclass('pantryd.load_ceiling'))",
        deadline);
    if (!there.boolean(0, 0)) connection.exec_script(kTable, deadline);
    insert(connection, ceiling, deadline);
    return {};
  } catch (const pg::PgError& error) {
    return fmt::format("The ceiling was not stored: {}.", error.what());
  }
}

}  // namespace pantryd::loadgen
