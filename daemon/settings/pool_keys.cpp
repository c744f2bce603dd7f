// Invariant of PoolReader: out_.given has a key exactly if the file has it, here or above, and then
// out_.keys has its value; a default changes only to agree with what is given.
#include "settings/pool_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/units.h"
#include "pool/pool.h"
#include "settings/rows.h"

namespace pantryd {
namespace {

/// Names of tarn.js and Knex that nothing here corresponds to, and what happens instead.
struct WithoutEffect {
  const char* name;
  const char* instead;
};
constexpr std::array kWithoutEffect{
    WithoutEffect{"reapIntervalMillis",
                  "idle and old connections are closed when they are due, not at an interval"},
    WithoutEffect{"destroyTimeoutMillis",
                  "connections are closed in the background, and nobody waits for that"},
    WithoutEffect{"maxConnectionLifetimeJitterMillis",
                  "each lifetime is cut by a random part of up to a tenth"},
};
constexpr const char* kPropagate = "propagateCreateError";
constexpr const char* kFirstPause = "createRetryIntervalMillis";
constexpr std::int64_t kTarnMostMs = 86'400'000;

class PoolReader {
 public:
  PoolReader(YamlMap map, const PoolSection& above, Reading& reading)
      : map_(std::move(map)), out_(above), reading_(reading) {}

  PoolSection read() {
    out_.keys.configured = true;
    read_rows(map_, out_.keys, reading_, &out_.given);
    if (const auto value = map_.find(kFirstPause)) {
      warn(*value,
           fmt::format("{} is the first pause only: it doubles up to backoff_max", kFirstPause));
    }
    read_without_effect();
    map_.done();
    defaults_yield();
    agree();
    PANTRYD_ASSERT(out_.keys.min <= out_.keys.max &&
                   out_.keys.check_timeout <= out_.keys.acquire_timeout &&
                   out_.keys.backoff_first <= out_.keys.backoff_max);
    return std::move(out_);
  }

 private:
  std::optional<YamlValue> find_single(const char* name) {
    KeyInfo key;
    key.name = name;
    bool as_tarn = false;
    return find_value(map_, key, as_tarn);
  }

  void read_without_effect() {
    for (const auto& key : kWithoutEffect) {
      const auto value = find_single(key.name);
      if (!value) continue;
      try {
        (void)value->as_integer(1, kTarnMostMs);
      } catch (const Error& error) {
        throw Error(error.code(), error.what(), fmt::format("{} is in milliseconds.", key.name));
      }
      warn(*value, fmt::format("{} has no effect: {}", key.name, key.instead));
    }
    if (const auto value = find_single(kPropagate)) {
      warn(*value, value->as_boolean()
                       ? "propagateCreateError has no effect: a failed connect is tried again, and "
                         "borrowers are refused with its reason after breaker_failures in a row, "
                         "or at once when the login is refused"
                       : "propagateCreateError has no effect: borrowers do not wait for all of "
                         "acquire_timeout while the server is down, but are refused with the "
                         "reason after breaker_failures failed connects in a row");
    }
  }

  void defaults_yield() {
    const PoolKeys defaults;
    auto& keys = out_.keys;
    if (!is_given("min")) keys.min = std::min(defaults.min, keys.max);
    if (!is_given("check_timeout")) {
      keys.check_timeout = std::min(defaults.check_timeout, keys.acquire_timeout);
    }
    if (!is_given("backoff_first")) {
      keys.backoff_first = is_given("backoff_max")
                               ? std::min(defaults.backoff_first, keys.backoff_max)
                               : defaults.backoff_first;
    }
    if (!is_given("backoff_max")) {
      keys.backoff_max = std::max(defaults.backoff_max, keys.backoff_first);
    }
  }

  void agree() {
    const auto& keys = out_.keys;
    if (keys.min > keys.max) {
      throw clash("min", std::to_string(keys.min), "max", std::to_string(keys.max),
                  "Lower min, or raise max.");
    }
    if (keys.check_timeout > keys.acquire_timeout) {
      throw clash("check_timeout", exact_duration(keys.check_timeout), "acquire_timeout",
                  exact_duration(keys.acquire_timeout),
                  "A check is part of the wait for a connection: give it less than the whole.");
    }
    if (keys.backoff_first > keys.backoff_max) {
      throw clash("backoff_first", exact_duration(keys.backoff_first), "backoff_max",
                  exact_duration(keys.backoff_max),
                  "The pauses grow from the first to the longest.");
    }
    if (keys.lifetime <= keys.idle_timeout && (is_here("lifetime") || is_here("idle_timeout"))) {
      warn(place_of("idle_timeout", "lifetime"),
           fmt::format("idle_timeout ({}) has no effect: lifetime ({}) ends first",
                       exact_duration(keys.idle_timeout), exact_duration(keys.lifetime)));
    }
  }

  [[nodiscard]] Error clash(const char* low, const std::string& low_value, const char* high,
                            const std::string& high_value, const char* hint) const {
    const auto with_origin = [&](const char* name, const std::string& value) {
      return fmt::format("{} ({}{})", name, value, is_given(name) ? "" : ", the default");
    };
    return place_of(low, high).error(
        fmt::format("{} is above {}", with_origin(low, low_value), with_origin(high, high_value)),
        hint);
  }

  [[nodiscard]] bool is_given(const char* name) const { return out_.given.count(name) > 0; }
  /// In this section, under either name.
  [[nodiscard]] bool is_here(const char* name) const {
    auto map = map_;
    if (map.find(name)) return true;
    for (const auto& key : infos<PoolKeys>()) {
      if (key.name == name && !key.tarn.empty()) return map.find(key.tarn).has_value();
    }
    return false;
  }
  /// Where to point: at the one that this section has, the first when it has both.
  [[nodiscard]] YamlValue place_of(const char* first, const char* second) const {
    for (const char* name : {first, second}) {
      if (is_here(name)) return out_.given.at(name);
    }
    return map_.value();
  }

  void warn(const YamlValue& where, const std::string& what) {
    reading_.warnings.emplace_back(where.error(what).what());
  }

  YamlMap map_;
  PoolSection out_;
  Reading& reading_;
};

}  // namespace

PoolSection read_pool(YamlMap map, const PoolSection& above, Reading& reading) {
  return PoolReader(std::move(map), above, reading).read();
}

PoolSettings PoolKeys::to_pool_settings() const {
  PoolSettings out;
  out.policy.size_min = min;
  out.policy.size_max = max;
  out.policy.waiters_max = waiters_max;
  out.policy.connects_max = connects_max;
  out.policy.idle_timeout = idle_timeout;
  out.policy.lifetime = lifetime;
  out.policy.check_after = check_after;
  out.policy.backoff_first = backoff_first;
  out.policy.backoff_max = backoff_max;
  out.policy.breaker_failures = breaker_failures;
  out.acquire_timeout = acquire_timeout;
  out.connect_timeout = connect_timeout;
  out.check_timeout = check_timeout;
  out.leak_after = leak_after;
  out.reset = reset;
  out.connect.prepared = prepared;
  return out;
}

std::vector<PoolKeyInfo> pool_key_list() {
  std::vector<PoolKeyInfo> out;
  for (const auto& key : infos<PoolKeys>()) {
    out.push_back({key.name, key.tarn, key.otherwise, key.least, key.most});
  }
  return out;
}

std::vector<std::string> pool_names_without_effect() {
  std::vector<std::string> out;
  for (const auto& key : kWithoutEffect) out.emplace_back(key.name);
  out.emplace_back(kPropagate);
  return out;
}

}  // namespace pantryd
