// Values that the keys of several checks hold.
#pragma once

#include <cstdint>

#include "base/yaml.h"

namespace pantryd::validate {

/// "64MB" as bytes. Throws Error(usage) with FILE:LINE:COLUMN.
[[nodiscard]] std::int64_t size_of(const YamlValue& value);

}  // namespace pantryd::validate
