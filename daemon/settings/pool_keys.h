// The section `pool:` of the configuration file: sizes and times of the connection pool, in our own
// words or in those of tarn.js and Knex (their milliseconds). docs/pool.md explains each.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/yaml.h"
#include "pool/pool.h"

namespace pantryd {

/// What is in force. The defaults are those of the shop's application in production.
struct PoolKeys {
  using Milliseconds = std::chrono::milliseconds;

  bool configured = false;  ///< the file has a section `pool:`, here or at the top
  std::int32_t min = 10;
  std::int32_t max = 100;
  std::int32_t waiters_max = 10'000;
  std::int32_t connects_max = 4;
  Milliseconds acquire_timeout{60'000};
  Milliseconds connect_timeout{30'000};
  Milliseconds idle_timeout{30'000};
  Milliseconds lifetime{30 * 60'000};
  Milliseconds check_after{30'000};
  Milliseconds check_timeout{1'000};
  Milliseconds backoff_first{100};
  Milliseconds backoff_max{500};
  std::int32_t breaker_failures = 3;
  Milliseconds leak_after{30'000};
  pg::Reset reset = pg::Reset::tracked;
  pg::Prepared prepared = pg::Prepared::automatic;

  friend bool operator==(const PoolKeys&, const PoolKeys&) = default;

  /// What the pool takes. The one place where both meet.
  [[nodiscard]] PoolSettings to_pool_settings() const;
  /// Lines "KEY: VALUE" behind `indent`, readable by read_pool(). `but` given: only what differs.
  [[nodiscard]] std::string show(const std::string& indent, const PoolKeys* but = nullptr) const;
};

/// A section as it was read, with where each key stands, so that an error can name both places.
struct PoolSection {
  PoolKeys keys;
  std::map<std::string, YamlValue> given;  ///< by our name, those of the section above included
};

/// Reads one section on top of another one, whose keys hold where this one is silent. A default
/// yields to what was written: with max 5 alone, min is 5. What differs from tarn.js in effect is
/// told in `warnings`, as FILE:LINE:COLUMN and one sentence.
/// Throws Error(usage) with FILE:LINE:COLUMN: unknown, twice (also once in each spelling), of the
/// wrong type, out of bounds, or contrary to another key.
[[nodiscard]] PoolSection read_pool(YamlMap map, const PoolSection& above,
                                    std::vector<std::string>& warnings);

/// A key as the documentation tells it.
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
