// Sizes of files, functions and lines, and the comment that opens a file.
#pragma once

#include "tests/tidy/tree.h"

namespace pantryd::tidy {

struct Limits {
  int header_lines = 120;
  int source_lines = 400;
  int function_lines = 70;
  int columns = 100;
};

/// Headers, sources and functions of the product and of tests/support and tests/tidy. A test's
/// file may be longer: it is a list of cases.
[[nodiscard]] Findings check_sizes(const Tree& tree, const Limits& limits = {});
/// Lines of C++, CMake and shell, in characters and not in bytes. A line that is one long address
/// or path cannot be broken and is allowed.
[[nodiscard]] Findings check_columns(const Tree& tree, const Limits& limits = {});
/// Every C++ file begins with a comment that says something.
[[nodiscard]] Findings check_opening_comments(const Tree& tree);

}  // namespace pantryd::tidy
