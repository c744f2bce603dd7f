// What the rules want to know of C++: comments, string literals, includes and functions. It reads
// tokens and braces and relies on clang-format for the rest; it is no parser.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pantryd::tidy {

struct Piece {
  int line = 0;      ///< where it begins, from 1
  std::string text;  ///< a literal without quotes, adjacent literals joined; an include's path
};

struct Include {
  int line = 0;
  std::string path;
  bool angled = false;  ///< <path>
};

struct Function {
  int line = 0;      ///< of its opening brace
  int lines = 0;     ///< from that line to its closing brace, both counted
  std::string head;  ///< what stands before the brace, such as "int main() "
};

/// The same text with comments, and the insides of literals, as blanks; lines stay where they are.
[[nodiscard]] std::string blank_out(std::string_view code);
[[nodiscard]] std::vector<Piece> literals_of(std::string_view code);
[[nodiscard]] std::vector<Include> includes_of(std::string_view code);
/// Outermost functions: a lambda counts for the function that holds it.
[[nodiscard]] std::vector<Function> functions_of(std::string_view code);

}  // namespace pantryd::tidy
