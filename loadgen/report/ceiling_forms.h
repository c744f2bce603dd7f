// The forms of a search for the ceiling: JSON, whose names are an API, and text for people.
#pragma once

#include <string>

#include "loadgen/capacity/ceiling.h"

namespace pantryd::loadgen {

/// {"format":"pantryd.find_max","version":2,...}
[[nodiscard]] std::string to_json(const Ceiling& ceiling);
[[nodiscard]] std::string to_text(const Ceiling& ceiling);

}  // namespace pantryd::loadgen
