// Words that do not belong into what an operator reads: error messages, help, metric HELP.
#pragma once

#include <string>
#include <vector>

#include "tests/tidy/tree.h"

namespace pantryd::tidy {

/// "told", "tell", "anew", "shall", "is none".
[[nodiscard]] const std::vector<std::string>& banned_words();

/// String literals of the product, the texts of probes/*.yaml and config/*.yaml without their
/// comments, and what the scripts print.
[[nodiscard]] Findings check_words(const Tree& tree);

}  // namespace pantryd::tidy
