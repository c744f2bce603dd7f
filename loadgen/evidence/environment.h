// Where a load ran: what must be alike before two results may be compared, and what a reader needs
// to judge one. Taken once, before the load. Secrets are never part of it.
//
// For `load compare`: Environment::from_json(result["environment"]) of two result files, then
// differences(a, b); an empty list means that they may be compared. Each difference begins with
// its name and a colon ("setting shared_buffers: 128MB against 1GB"), so that a caller can allow
// one that is the very object of the comparison.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "loadgen/dataset/grocery.h"
#include "loadgen/evidence/host.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

struct ServerSetting {
  std::string name;
  std::string value;  ///< as SHOW prints it; "(not shown)" where it may hold a secret
  [[nodiscard]] bool operator==(const ServerSetting&) const = default;
};

/// Of a table of the current database, largest first.
struct RelationSize {
  std::string name;  ///< with its schema
  std::int64_t table_bytes = 0;
  std::int64_t index_bytes = 0;
  std::int64_t rows = 0;  ///< the planner's estimate; -1 before the first ANALYZE
  [[nodiscard]] bool operator==(const RelationSize&) const = default;
};

struct Environment {
  // The host of the load generator.
  std::string kernel;  ///< "Linux 6.1.0-18-amd64 x86_64"
  std::string cpu_model;
  std::int64_t cpu_count = 0;       ///< processors that we may use (the affinity mask)
  std::string governor;             ///< empty where there is none to read
  std::optional<double> cpu_limit;  ///< processors, by cgroup
  std::optional<std::int64_t> memory_limit_bytes;
  std::int64_t memory_bytes = 0;
  std::optional<std::int64_t> huge_pages;  ///< that the host set aside

  // The server.
  bool server_local = false;  ///< its processes are those of this host
  std::string server_version;
  std::vector<ServerSetting> settings;  ///< all but defaults, and some whatever they are; by name
  std::string schema_hash;              ///< of columns, indexes and constraints; empty: not read
  std::vector<RelationSize> relations;  ///< at most kRelationsMax; those under DDL are left out
  std::optional<DatasetShape> dataset;
  std::int64_t rtt_us = 0;  ///< least of 20 round trips of an empty answer; 0: not measured

  static constexpr std::size_t kRelationsMax = 20;

  [[nodiscard]] nlohmann::ordered_json to_json() const;
  [[nodiscard]] std::string to_text() const;  ///< the JSON, indented
  /// What is missing keeps its default. Throws Error(failed) for a value of another type.
  [[nodiscard]] static Environment from_json(const nlohmann::ordered_json& json);
};

/// Each a sentence without a full stop. Sizes may differ by 20 % (or 16 MB), since a load makes
/// rows; round trips by a factor of two (or 0.2 ms); names of folders, ports, logs do not count.
[[nodiscard]] std::vector<std::string> differences(const Environment& a, const Environment& b);

/// The host's part alone.
[[nodiscard]] Environment host_environment(const Host& host);

/// Looks at the host and at the server. Of the server's part, what cannot be read is left out;
/// throws PgError only when the connection is lost. Locks nothing that DDL holds or waits for.
[[nodiscard]] Environment collect_environment(pg::Connection& connection,
                                              const std::optional<DatasetShape>& dataset,
                                              Deadline deadline, const Host& host = Host());

/// Largest first, without waiting for any lock: what DDL holds or waits for is left out.
[[nodiscard]] std::vector<RelationSize> read_relation_sizes(pg::Connection& connection,
                                                            Deadline deadline);

/// True when the server of this connection runs on this host, by its own process id: an address on
/// loopback alone may be a tunnel.
[[nodiscard]] bool is_server_local(pg::Connection& connection, Deadline deadline, const Host& host);

}  // namespace pantryd::loadgen
