// A value that may be missing, in JSON: null.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

namespace pantryd::loadgen {

template <typename Value>
[[nodiscard]] nlohmann::ordered_json maybe(const std::optional<Value>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

}  // namespace pantryd::loadgen
