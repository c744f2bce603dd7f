// What a misspelt word was probably meant to be: for the hints of the command line and of
// configuration files.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace pantryd {

/// Levenshtein distance: how many insertions, deletions and replacements of one byte turn `a`
/// into `b`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// The known word with the smallest distance to `word`, the first of several in alphabetical order.
/// Empty if more than half of the word, or more than three characters, would have to change: that
/// is no typing error.
[[nodiscard]] std::string nearest(std::string_view word, const std::set<std::string>& known);

}  // namespace pantryd
