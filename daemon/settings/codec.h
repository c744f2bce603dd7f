// How a value of each type is read from the file and written back. Private to daemon/settings.
//
// A Codec<T> has: kType, for the reference; read(), which throws Error(usage) with
// FILE:LINE:COLUMN; text(), the value as YAML on one line, which read() accepts. kNone: the value
// T{} means "not set" and is not written if it is the default. kSingle: neither a list nor a map.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/yaml.h"
#include "settings/keys.h"
#include "settings/settings.h"

namespace pantryd {

using LabelMap = std::map<std::string, std::string>;

template <typename T>
struct Codec;

#define PANTRYD_CODEC(T, type, single, none)                              \
  template <>                                                             \
  struct Codec<T> {                                                       \
    static constexpr const char* kType = type;                            \
    static constexpr bool kSingle = single;                               \
    static constexpr bool kNone = none;                                   \
    static void read(T& out, const YamlValue& value, const KeyInfo& key); \
    static std::string text(const T& value);                              \
  };

PANTRYD_CODEC(bool, "true or false", true, false)
PANTRYD_CODEC(std::int32_t, "whole number", true, false)
PANTRYD_CODEC(double, "number", true, false)
PANTRYD_CODEC(Milliseconds, "duration", true, false)
PANTRYD_CODEC(pg::Reset, "word", true, false)
PANTRYD_CODEC(pg::Prepared, "word", true, false)
PANTRYD_CODEC(ListenList, "ADDRESS:PORT or a list of them", false, false)
PANTRYD_CODEC(std::string, "text", true, true)
PANTRYD_CODEC(std::filesystem::path, "path", true, true)
PANTRYD_CODEC(PlacedName, "name", true, true)
PANTRYD_CODEC(pg::Conninfo, "connection string", true, true)
PANTRYD_CODEC(std::vector<std::string>, "list of texts", false, true)
PANTRYD_CODEC(std::vector<PlacedName>, "list of names", false, true)
PANTRYD_CODEC(LabelMap, "map of texts", false, true)
#undef PANTRYD_CODEC

/// The words of a type whose values are words.
[[nodiscard]] std::vector<std::string> words_of(pg::Reset);
[[nodiscard]] std::vector<std::string> words_of(pg::Prepared);

/// A duration in the milliseconds that tarn.js writes.
void read_tarn(Milliseconds& out, const YamlValue& value, const KeyInfo& key);

/// `text` as YAML, in double quotes.
[[nodiscard]] std::string quoted(const std::string& text);

}  // namespace pantryd
