// What a row's field may hold: a value, a section, a section that may be missing, a list of
// sections. Private to daemon/settings, and included by the files that make rows.
//
// A Field<T> has describe(), which completes a KeyInfo; read(); and write(), which gives the lines
// of the key, none if the field is not set.
#pragma once

#include <fmt/format.h>

#include <set>
#include <type_traits>

#include "settings/rows.h"

namespace pantryd {

/// "NAME:" and the lines below it; nothing without any.
[[nodiscard]] Lines section_lines(const std::string& name, const Lines& lines);
/// An item of a list: "- " before its first line.
[[nodiscard]] Lines item_lines(const Lines& lines);

template <typename T>
struct Field {
  static void describe(KeyInfo& info) {
    info.type = info.choices.empty() ? Codec<T>::kType : "word";
    info.single = Codec<T>::kSingle;
    if constexpr (requires(T value) { words_of(value); }) info.choices = words_of(T{});
  }
  static void read(T& out, const YamlValue& value, const KeyInfo& info, Reading&) {
    Codec<T>::read(out, value, info);
  }
  static std::string text(const T& value, const KeyInfo& info) {
    if constexpr (std::is_same_v<T, std::string>) {
      if (!info.choices.empty()) return value;
    }
    return Codec<T>::text(value);
  }
  static bool none(const T& value) { return Codec<T>::kNone && value == T{}; }
  static Lines write(const T& value, const KeyInfo& info, const PoolKeys&) {
    if (!info.required && info.otherwise.empty() && none(value)) return {};
    return {info.name + ": " + text(value, info)};
  }
};

template <Section S>
struct Field<S> {
  static void describe(KeyInfo& info) {
    info.type = "section";
    info.shape = KeyShape::section;
    info.keys = infos<S>();
  }
  static void read(S& out, const YamlValue& value, const KeyInfo&, Reading& reading) {
    out = read_section<S>(value, reading);
  }
  static Lines write(const S& section, const KeyInfo& info, const PoolKeys& top) {
    return section_lines(info.name, write_rows(section, top));
  }
};

template <Section S>
struct Field<std::optional<S>> {
  static void describe(KeyInfo& info) {
    Field<S>::describe(info);
    info.optional = true;
  }
  static void read(std::optional<S>& out, const YamlValue& value, const KeyInfo& info,
                   Reading& reading) {
    Field<S>::read(out.emplace(), value, info, reading);
  }
  static Lines write(const std::optional<S>& section, const KeyInfo& info, const PoolKeys& top) {
    return section ? Field<S>::write(*section, info, top) : Lines{};
  }
};

template <Section S>
struct Field<std::vector<S>> {
  static void describe(KeyInfo& info) {
    info.type = "list of sections";
    info.shape = KeyShape::list;
    info.keys = infos<S>();
  }
  static void read(std::vector<S>& out, const YamlValue& value, const KeyInfo& info,
                   Reading& reading) {
    std::set<std::string> names;
    out.clear();
    for (const auto& item : value.as_list()) {
      out.push_back(read_section<S>(item, reading));
      if (names.insert(out.back().name).second) continue;
      throw item.error(fmt::format("two {}s are called \"{}\"", info.item, out.back().name));
    }
    if (info.required && out.empty()) throw value.error(fmt::format("no {} is listed", info.item));
  }
  static Lines write(const std::vector<S>& sections, const KeyInfo& info, const PoolKeys& top) {
    Lines out;
    for (const auto& section : sections) {
      for (auto& line : item_lines(write_rows(section, top))) out.push_back(std::move(line));
    }
    return section_lines(info.name, out);
  }
};

}  // namespace pantryd
