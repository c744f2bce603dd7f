// How the bounds of an option are written for a person: in hints and in the help.
#pragma once

#include <string>

#include "cli/options.h"

namespace pantryd::cli {

/// True for counts, numbers, durations and sizes.
[[nodiscard]] bool has_bounds(const Option& option);
/// "from 1 to 4096", "from 1s to 10m", "0 or more"; empty without bounds.
[[nodiscard]] std::string bounds_text(const Option& option);
/// "Write a whole number from 1 to 4096."
[[nodiscard]] std::string bounds_hint(const Option& option);

}  // namespace pantryd::cli
