// Finds the value of a key in a section of the file, and lays out lines of YAML; it keeps nothing.
#include "settings/rows.h"

#include <fmt/format.h>

#include "settings/fields.h"

namespace pantryd {
namespace {

/// "max:" with nothing behind it is an unfinished line, not the default.
void require_value(YamlMap& map, const std::string& name) {
  if (!map.is_empty(name)) return;
  throw map.key(name).error(fmt::format("\"{}\" must be a single value", name),
                            "Delete the line to get the default.");
}

}  // namespace

std::optional<YamlValue> find_value(YamlMap& map, const KeyInfo& key, bool& as_tarn) {
  as_tarn = false;
  const bool is_value = key.shape == KeyShape::value;
  if (is_value) require_value(map, key.name);
  auto value = key.required ? std::optional(map.require(key.name)) : map.find(key.name);
  if (!key.tarn.empty() && key.tarn != key.name) {
    require_value(map, key.tarn);
    if (auto theirs = map.find(key.tarn)) {
      if (value) {
        throw theirs->error(fmt::format("{} and {} are the same setting", key.name, key.tarn),
                            "Keep one of the two.");
      }
      as_tarn = true;
      value = std::move(theirs);
    }
  }
  if (value && is_value && key.single && !value->is_scalar()) {
    throw value->error(fmt::format("\"{}\" must be a single value", key.name),
                       "Delete the line to get the default.");
  }
  return value;
}

Lines section_lines(const std::string& name, const Lines& lines) {
  if (lines.empty()) return {};
  Lines out{name + ":"};
  for (const auto& line : lines) out.push_back("  " + line);
  return out;
}

Lines item_lines(const Lines& lines) {
  Lines out;
  for (const auto& line : lines) out.push_back((out.empty() ? "- " : "  ") + line);
  return out;
}

}  // namespace pantryd
