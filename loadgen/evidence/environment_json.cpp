// The JSON form of an environment: names are an API. nullptr where there is none.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "loadgen/evidence/environment.h"
#include "loadgen/evidence/maybe_json.h"

namespace pantryd::loadgen {
namespace {

using Json = nlohmann::ordered_json;

template <typename Value>
void take(const Json& from, const char* name, Value& to) {
  const auto found = from.find(name);
  if (found != from.end() && !found->is_null()) to = found->get<Value>();
}

template <typename Value>
void take(const Json& from, const char* name, std::optional<Value>& to) {
  const auto found = from.find(name);
  if (found != from.end() && !found->is_null()) to = found->get<Value>();
}

Json part(const Json& from, const char* name) {
  const auto found = from.find(name);
  return found != from.end() && !found->is_null() ? *found : Json::object();
}

Environment read(const Json& json) {
  Environment out;
  const auto client = part(json, "client");
  take(client, "kernel", out.kernel);
  take(client, "cpu_model", out.cpu_model);
  take(client, "cpu_count", out.cpu_count);
  take(client, "governor", out.governor);
  take(client, "cpu_limit", out.cpu_limit);
  take(client, "memory_bytes", out.memory_bytes);
  take(client, "memory_limit_bytes", out.memory_limit_bytes);
  take(client, "huge_pages", out.huge_pages);
  const auto server = part(json, "server");
  take(server, "local", out.server_local);
  take(server, "version", out.server_version);
  take(server, "schema_hash", out.schema_hash);
  take(server, "rtt_us", out.rtt_us);
  // Named, since a loop over items() does not keep what they are of alive.
  const auto settings = part(server, "settings");
  for (const auto& [name, value] : settings.items()) {
    out.settings.push_back({name, value.get<std::string>()});
  }
  const auto relations = part(server, "relations");
  for (const auto& [name, value] : relations.items()) {
    RelationSize size;
    size.name = name;
    take(value, "table_bytes", size.table_bytes);
    take(value, "index_bytes", size.index_bytes);
    take(value, "rows", size.rows);
    out.relations.push_back(std::move(size));
  }
  if (const auto shape = part(json, "dataset"); !shape.empty()) {
    auto& to = out.dataset.emplace();
    take(shape, "seed", to.seed);
    take(shape, "products", to.products);
    take(shape, "sales", to.sales);
    take(shape, "users", to.users);
    take(shape, "days", to.days);
    take(shape, "as_of_day", to.as_of_day);
  }
  return out;
}

}  // namespace

Json Environment::to_json() const {
  Json out;
  out["client"] = {{"kernel", kernel},
                   {"cpu_model", cpu_model},
                   {"cpu_count", cpu_count},
                   {"governor", governor},
                   {"cpu_limit", maybe(cpu_limit)},
                   {"memory_bytes", memory_bytes},
                   {"memory_limit_bytes", maybe(memory_limit_bytes)},
                   {"huge_pages", maybe(huge_pages)}};
  Json server = {{"local", server_local},      {"version", server_version},
                 {"schema_hash", schema_hash}, {"rtt_us", rtt_us},
                 {"settings", Json::object()}, {"relations", Json::object()}};
  for (const auto& each : settings) server["settings"][each.name] = each.value;
  for (const auto& each : relations) {
    server["relations"][each.name] = {
        {"table_bytes", each.table_bytes}, {"index_bytes", each.index_bytes}, {"rows", each.rows}};
  }
  out["server"] = std::move(server);
  out["dataset"] = nullptr;
  if (dataset) {
    out["dataset"] = {{"seed", dataset->seed},   {"products", dataset->products},
                      {"sales", dataset->sales}, {"users", dataset->users},
                      {"days", dataset->days},   {"as_of_day", dataset->as_of_day}};
  }
  return out;
}

std::string Environment::to_text() const {
  return to_json().dump(2, ' ', false, Json::error_handler_t::replace);
}

Environment Environment::from_json(const Json& json) {
  try {
    return read(json);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::failed, std::string("this environment cannot be read: ") + error.what(),
                "Was the result file changed by hand?");
  }
}

}  // namespace pantryd::loadgen
