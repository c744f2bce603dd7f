// Makes a row of the table from a member of a section's struct. Private to daemon/settings; the
// files that define rows include it.
#pragma once

#include "settings/fields.h"

namespace pantryd {

/// The section pool: at the top.
template <>
struct Field<PoolKeys> {
  static void describe(KeyInfo& info) {
    info.type = "section";
    info.shape = KeyShape::section;
    info.keys = infos<PoolKeys>();
  }
  static void read(PoolKeys& out, const YamlValue& value, const KeyInfo&, Reading& reading) {
    reading.pool = read_pool(value.as_map(), {}, reading);
    out = reading.pool.keys;
  }
  /// As a comment if the file has no such section: some commands then choose sizes of their own.
  static Lines write(const PoolKeys& keys, const KeyInfo& info, const PoolKeys& top) {
    auto out = section_lines(info.name, write_rows(keys, top));
    if (keys.configured) return out;
    for (auto& line : out) line.insert(0, "# ");
    return out;
  }
};

/// The section pool: of a target.
template <>
struct Field<TargetPool> {
  static void describe(KeyInfo& info) {
    info.type = "section";
    info.shape = KeyShape::section;
    info.optional = true;
    info.like = "pool";
  }
  static void read(TargetPool& out, const YamlValue& value, const KeyInfo&, Reading& reading) {
    out = read_pool(value.as_map(), reading.pool, reading).keys;
  }
  static Lines write(const TargetPool& pool, const KeyInfo& info, const PoolKeys& top) {
    const PoolKeys& keys = pool;
    const auto lines = write_rows(keys, top, &top);
    if (lines.empty() && keys.configured != top.configured) return {info.name + ": {}"};
    return section_lines(info.name, lines);
  }
};

template <typename S, typename T>
[[nodiscard]] Row<S> make_row(const char* name, T S::*field, KeyRules rules) {
  Row<S> row;
  static_cast<KeyRules&>(row.info) = std::move(rules);
  row.info.name = name;
  Field<T>::describe(row.info);
  if constexpr (requires(T value) { Field<T>::text(value, row.info); }) {
    const S section{};
    if (!Field<T>::none(section.*field)) {
      row.info.otherwise = Field<T>::text(section.*field, row.info);
    }
  }
  const auto info = row.info;
  row.read = [field, info](S& out, const YamlValue& value, Reading& reading) {
    Field<T>::read(out.*field, value, info, reading);
  };
  if constexpr (std::is_same_v<T, Milliseconds>) {
    row.read_tarn = [field, info](S& out, const YamlValue& value) {
      read_tarn(out.*field, value, info);
    };
  }
  row.write = [field, info](const S& section, const PoolKeys& top) {
    return Field<T>::write(section.*field, info, top);
  };
  row.same = [field](const S& a, const S& b) { return a.*field == b.*field; };
  return row;
}

}  // namespace pantryd
