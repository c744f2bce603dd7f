// PostgreSQL's own parser, libpg_query. Only parser.cpp includes it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace pantryd::migrate {

using Json = nlohmann::json;

struct ParserError {
  std::string message;
  std::size_t at = 0;  ///< bytes; where the parser gave up
};

/// The tree of a text as libpg_query writes it: {"version": ..., "stmts": [...]}.
struct Parsed {
  std::optional<Json> tree;
  ParserError error;  ///< when there is no tree
};
[[nodiscard]] Parsed parse_sql(const std::string& sql);

struct Extent {
  std::size_t begin = 0;  ///< bytes; comments and blanks in front of the statement included
  std::size_t end = 0;    ///< before its semicolon
};

/// The statements of a text. A text that does not parse has none, and an error.
struct Extents {
  std::vector<Extent> statements;
  std::optional<ParserError> error;
};
[[nodiscard]] Extents find_statements(const std::string& sql);

/// The major version of PostgreSQL whose syntax the parser knows.
[[nodiscard]] int parser_major();

}  // namespace pantryd::migrate
