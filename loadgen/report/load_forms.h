// The forms of a load result: JSON, whose names are an API, and text for people.
#pragma once

#include <string>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// {"format":"pantryd.load","version":2,...}
[[nodiscard]] std::string to_json(const LoadResult& result);
[[nodiscard]] std::string to_text(const LoadResult& result);

}  // namespace pantryd::loadgen
