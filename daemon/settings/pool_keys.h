// The section `pool:` of the configuration file: sizes and times of the connection pool, under our
// names or those of tarn.js and Knex (their milliseconds). docs/pool.md explains each.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "pg/session_policy.h"

namespace pantryd {

struct PoolSettings;
using Milliseconds = std::chrono::milliseconds;

/// What is in force. The defaults are those of the shop's application in production.
struct PoolKeys {
#define KEY(type, field, otherwise, rules) type field = otherwise;
#include "settings/keys/pool.def"
#undef KEY

  bool configured = false;  ///< the file has a section `pool:`, here or at the top

  friend bool operator==(const PoolKeys&, const PoolKeys&) = default;

  /// What the pool takes. The one place where both meet.
  [[nodiscard]] PoolSettings to_pool_settings() const;
};

/// The section `pool:` of a target: its own keys on top of those for all.
struct TargetPool : PoolKeys {
  TargetPool() = default;
  TargetPool(const PoolKeys& keys) : PoolKeys(keys) {}  // NOLINT: it is nothing else

  friend bool operator==(const TargetPool&, const TargetPool&) = default;
};

/// A key as the documentation of the pool has it.
struct PoolKeyInfo {
  std::string name;
  std::string tarn;       ///< its name in tarn.js or Knex; may be empty or the same
  std::string otherwise;  ///< the default, as it is written
  std::string least;      ///< bounds; empty for a choice
  std::string most;
};
[[nodiscard]] std::vector<PoolKeyInfo> pool_key_list();
/// Names of tarn.js and Knex that are accepted without a counterpart.
[[nodiscard]] std::vector<std::string> pool_names_without_effect();

}  // namespace pantryd
