// Invariant of read_pool(): `given` holds a key exactly if the file has it, here or above, and then
// keys holds its value; a default changes only to agree with what is given.
#include "settings/pool_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/units.h"

namespace pantryd {
namespace {

using std::chrono::milliseconds;

struct CountKey {
  const char* name;
  std::int32_t PoolKeys::*field;
  std::int32_t least;
  std::int32_t most;
};

// PostgreSQL itself takes 262,143 connections at most; nobody has ever been glad of 10,000.
constexpr std::array kCounts{
    CountKey{"min", &PoolKeys::min, 0, 10'000},
    CountKey{"max", &PoolKeys::max, 1, 10'000},
    CountKey{"waiters_max", &PoolKeys::waiters_max, 1, 1'000'000},
    CountKey{"connects_max", &PoolKeys::connects_max, 1, 64},
    CountKey{"breaker_failures", &PoolKeys::breaker_failures, 1, 1'000},
};

struct TimeKey {
  const char* name;
  const char* tarn;
  milliseconds PoolKeys::*field;
  milliseconds least;
  milliseconds most;
};

constexpr milliseconds kMs{1};
constexpr milliseconds kSecond{1'000};
constexpr milliseconds kMinute{60'000};
constexpr milliseconds kHour{3'600'000};
constexpr milliseconds kDay{86'400'000};

constexpr std::array kTimes{
    TimeKey{"acquire_timeout", "acquireTimeoutMillis", &PoolKeys::acquire_timeout, kMs, kHour},
    TimeKey{"connect_timeout", "createTimeoutMillis", &PoolKeys::connect_timeout, kMs,
            10 * kMinute},
    TimeKey{"idle_timeout", "idleTimeoutMillis", &PoolKeys::idle_timeout, kMs, 7 * kDay},
    // With less than a second a pool does little else than to log in.
    TimeKey{"lifetime", "maxConnectionLifetimeMillis", &PoolKeys::lifetime, kSecond, 30 * kDay},
    TimeKey{"check_after", "", &PoolKeys::check_after, kMs, kDay},
    TimeKey{"check_timeout", "", &PoolKeys::check_timeout, kMs, kMinute},
    TimeKey{"backoff_first", "createRetryIntervalMillis", &PoolKeys::backoff_first, kMs, kMinute},
    TimeKey{"backoff_max", "", &PoolKeys::backoff_max, kMs, 10 * kMinute},
    TimeKey{"leak_after", "", &PoolKeys::leak_after, kMs, kDay},
};

template <typename Choice>
struct Word {
  const char* text;
  Choice choice;
};
constexpr std::array kResets{Word<pg::Reset>{"tracked", pg::Reset::tracked},
                             Word<pg::Reset>{"always", pg::Reset::always},
                             Word<pg::Reset>{"never", pg::Reset::never}};
constexpr std::array kPrepared{Word<pg::Prepared>{"automatic", pg::Prepared::automatic},
                               Word<pg::Prepared>{"named", pg::Prepared::named},
                               Word<pg::Prepared>{"unnamed", pg::Prepared::unnamed}};

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
constexpr std::int64_t kTarnMostMs = 86'400'000;

template <typename Choice, std::size_t size>
std::string word_of(const std::array<Word<Choice>, size>& words, Choice choice) {
  for (const auto& word : words) {
    if (word.choice == choice) return word.text;
  }
  return {};
}

class Reader {
 public:
  Reader(YamlMap map, const PoolSection& above, std::vector<std::string>& warnings)
      : map_(std::move(map)), out_(above), warnings_(warnings) {}

  PoolSection read() {
    out_.keys.configured = true;
    want_values();
    for (const auto& key : kCounts) read_count(key);
    for (const auto& key : kTimes) read_time(key);
    read_choices();
    read_without_effect();
    map_.done();
    defaults_yield();
    agree();
    return std::move(out_);
  }

 private:
  /// "max:" with nothing behind it is somebody's unfinished line, not the default.
  void want_values() const {
    auto all = map_;
    for (const auto& [name, value] : all.entries()) {
      if (!value.is_scalar()) {
        throw value.error(fmt::format("the key \"{}\" wants one value", name),
                          "Take the line out to get the default.");
      }
    }
  }

  void read_count(const CountKey& key) {
    const auto value = map_.find(key.name);
    if (!value) return;
    out_.keys.*key.field = static_cast<std::int32_t>(value->as_integer(key.least, key.most));
    out_.given.insert_or_assign(key.name, *value);
  }

  void read_time(const TimeKey& key) {
    auto value = map_.find(key.name);
    if (value) {
      const auto time = value->as_duration();
      if (time < key.least || time > key.most) {
        throw value->error(fmt::format("{} is {}, and has to be from {} to {}", key.name,
                                       value->as_text(), exact_duration(key.least),
                                       exact_duration(key.most)));
      }
      out_.keys.*key.field = time;
    }
    if (*key.tarn != '\0') {
      if (const auto theirs = map_.find(key.tarn)) {
        if (value) {
          throw theirs->error(fmt::format("{} and {} are the same setting", key.name, key.tarn),
                              "Keep one of the two.");
        }
        out_.keys.*key.field = milliseconds(whole_ms(*theirs, key.least.count(), key.most.count(),
                                                     fmt::format("{}: 30s", key.name)));
        if (std::string_view(key.name) == "backoff_first") {
          warn(*theirs,
               "createRetryIntervalMillis is the first pause only: it doubles up to backoff_max");
        }
        value = theirs;
      }
    }
    if (value) out_.given.insert_or_assign(key.name, *value);
  }

  static std::int64_t whole_ms(const YamlValue& value, std::int64_t least, std::int64_t most,
                               const std::string& ours) {
    try {
      return value.as_integer(least, most);
    } catch (const Error& error) {
      throw Error(error.code(), error.what(),
                  ours.empty() ? "This name takes milliseconds."
                               : fmt::format("This name takes milliseconds; in our own words it "
                                             "is written with a unit, as in {}.",
                                             ours));
    }
  }

  void read_choices() {
    if (const auto value = map_.find("reset")) {
      const auto text = value->as_choice({"tracked", "always", "never"});
      for (const auto& word : kResets) {
        if (text == word.text) out_.keys.reset = word.choice;
      }
    }
    if (const auto value = map_.find("prepared")) {
      const auto text = value->as_choice({"automatic", "named", "unnamed"});
      for (const auto& word : kPrepared) {
        if (text == word.text) out_.keys.prepared = word.choice;
      }
    }
  }

  void read_without_effect() {
    for (const auto& key : kWithoutEffect) {
      const auto value = map_.find(key.name);
      if (!value) continue;
      (void)whole_ms(*value, 1, kTarnMostMs, {});
      warn(*value, fmt::format("{} has no effect: {}", key.name, key.instead));
    }
    if (const auto value = map_.find(kPropagate)) {
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
      throw clash("min", keys.min, "max", keys.max, "Lower min, or raise max.");
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

  template <typename Value>
  [[nodiscard]] Error clash(const char* low, const Value& low_value, const char* high,
                            const Value& high_value, const char* hint) const {
    const auto told = [&](const char* name, const Value& value) {
      return fmt::format("{} ({}{})", name, value, is_given(name) ? "" : ", the default");
    };
    return place_of(low, high).error(
        fmt::format("{} is above {}", told(low, low_value), told(high, high_value)), hint);
  }

  [[nodiscard]] bool is_given(const char* name) const { return out_.given.count(name) > 0; }
  /// In this section, under either name.
  [[nodiscard]] bool is_here(const char* name) const {
    auto map = map_;
    if (map.find(name)) return true;
    for (const auto& key : kTimes) {
      if (std::string_view(key.name) == name && *key.tarn != '\0') {
        return map.find(key.tarn).has_value();
      }
    }
    return false;
  }
  /// Where to point: at the one that this section wrote, the first when it wrote both.
  [[nodiscard]] YamlValue place_of(const char* first, const char* second) const {
    for (const char* name : {first, second}) {
      if (is_here(name)) return out_.given.at(name);
    }
    return map_.value();
  }

  void warn(const YamlValue& where, const std::string& what) {
    warnings_.emplace_back(where.error(what).what());
  }

  YamlMap map_;
  PoolSection out_;
  std::vector<std::string>& warnings_;
};

}  // namespace

PoolSection read_pool(YamlMap map, const PoolSection& above, std::vector<std::string>& warnings) {
  return Reader(std::move(map), above, warnings).read();
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

std::string PoolKeys::show(const std::string& indent, const PoolKeys* but) const {
  std::string out;
  const auto line = [&](const char* name, const auto& value) {
    out += fmt::format("{}{}: {}\n", indent, name, value);
  };
  for (const auto& key : kCounts) {
    if (but == nullptr || this->*key.field != but->*key.field) line(key.name, this->*key.field);
  }
  for (const auto& key : kTimes) {
    if (but == nullptr || this->*key.field != but->*key.field) {
      line(key.name, exact_duration(this->*key.field));
    }
  }
  if (but == nullptr || reset != but->reset) line("reset", word_of(kResets, reset));
  if (but == nullptr || prepared != but->prepared) line("prepared", word_of(kPrepared, prepared));
  return out;
}

std::vector<PoolKeyInfo> pool_key_list() {
  const PoolKeys defaults;
  std::vector<PoolKeyInfo> out;
  for (const auto& key : kCounts) {
    const std::string name = key.name;
    out.push_back({name, name == "min" || name == "max" ? name : "",
                   std::to_string(defaults.*key.field), std::to_string(key.least),
                   std::to_string(key.most)});
  }
  for (const auto& key : kTimes) {
    out.push_back({key.name, key.tarn, exact_duration(defaults.*key.field),
                   exact_duration(key.least), exact_duration(key.most)});
  }
  out.push_back({"reset", "", word_of(kResets, defaults.reset), "", ""});
  out.push_back({"prepared", "", word_of(kPrepared, defaults.prepared), "", ""});
  return out;
}

std::vector<std::string> pool_names_without_effect() {
  std::vector<std::string> out;
  for (const auto& key : kWithoutEffect) out.emplace_back(key.name);
  out.emplace_back(kPropagate);
  return out;
}

}  // namespace pantryd
