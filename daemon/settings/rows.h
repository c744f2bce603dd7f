// The table of keys, and how sections are read and written by it. Private to daemon/settings.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "settings/codec.h"

namespace pantryd {

/// A section pool: as it was read.
struct PoolSection {
  PoolKeys keys;
  std::map<std::string, YamlValue> given;  ///< by our name, those of the section above included
};

/// What the sections of a file share while it is read.
struct Reading {
  std::vector<std::string>& warnings;
  PoolSection pool;  ///< the one at the top
};

/// Lines of YAML without the indentation of their section.
using Lines = std::vector<std::string>;

template <typename S>
struct Row {
  KeyInfo info;
  std::function<void(S&, const YamlValue&, Reading&)> read;
  std::function<void(S&, const YamlValue&)> read_tarn;  ///< null: its type has no such form
  /// The key and its value; nothing if it is not set. `top` is the section pool: at the top.
  std::function<Lines(const S&, const PoolKeys& top)> write;
  std::function<bool(const S&, const S&)> same;
};

// One function a section; see sections.cpp.
[[nodiscard]] const std::vector<Row<Settings>>& rows_of(const Settings*);
[[nodiscard]] const std::vector<Row<HttpSettings>>& rows_of(const HttpSettings*);
[[nodiscard]] const std::vector<Row<ProbeSettings>>& rows_of(const ProbeSettings*);
[[nodiscard]] const std::vector<Row<PoolKeys>>& rows_of(const PoolKeys*);
[[nodiscard]] const std::vector<Row<TargetSettings>>& rows_of(const TargetSettings*);
[[nodiscard]] const std::vector<Row<DatabaseSettings>>& rows_of(const DatabaseSettings*);
[[nodiscard]] const std::vector<Row<PgBouncerSettings>>& rows_of(const PgBouncerSettings*);
[[nodiscard]] const std::vector<Row<DiskSettings>>& rows_of(const DiskSettings*);
[[nodiscard]] const std::vector<Row<BackupSettings>>& rows_of(const BackupSettings*);

template <typename S>
concept Section = requires {
  rows_of(static_cast<const S*>(nullptr));
};

template <Section S>
[[nodiscard]] std::vector<KeyInfo> infos() {
  std::vector<KeyInfo> out;
  for (const auto& row : rows_of(static_cast<const S*>(nullptr))) out.push_back(row.info);
  return out;
}

/// The value of a key, under its own name or that of tarn.js (then `as_tarn`); none if `map` has
/// neither. Throws Error(usage): both, a key without a value, a list where one value belongs, a
/// required key that is missing.
[[nodiscard]] std::optional<YamlValue> find_value(YamlMap& map, const KeyInfo& key, bool& as_tarn);

/// Reads the keys that `map` has into `out`, and their values into `given` by our names. The caller
/// ends with map.done().
template <Section S>
void read_rows(YamlMap& map, S& out, Reading& reading,
               std::map<std::string, YamlValue>* given = nullptr) {
  for (const auto& row : rows_of(static_cast<const S*>(nullptr))) {
    bool as_tarn = false;
    const auto value = find_value(map, row.info, as_tarn);
    if (!value) continue;
    if (as_tarn) {
      row.read_tarn(out, *value);
    } else {
      row.read(out, *value, reading);
    }
    if (given != nullptr) given->insert_or_assign(row.info.name, *value);
  }
}

template <Section S>
[[nodiscard]] S read_section(const YamlValue& value, Reading& reading) {
  auto map = value.as_map();
  S out;
  if constexpr (std::is_same_v<S, TargetSettings>) out.pool = reading.pool.keys;
  read_rows(map, out, reading);
  map.done();
  return out;
}

/// `but` given: only the keys whose values differ from it.
template <Section S>
[[nodiscard]] Lines write_rows(const S& section, const PoolKeys& top, const S* but = nullptr) {
  Lines out;
  for (const auto& row : rows_of(static_cast<const S*>(nullptr))) {
    if (but != nullptr && row.same(section, *but)) continue;
    for (auto& line : row.write(section, top)) out.push_back(std::move(line));
  }
  return out;
}

/// Reads one section pool: on top of another one, whose keys apply where this one has none. A
/// default yields to what is written: with max 5 alone, min is 5. What tarn.js would do differently
/// becomes a warning.
[[nodiscard]] PoolSection read_pool(YamlMap map, const PoolSection& above, Reading& reading);

}  // namespace pantryd
