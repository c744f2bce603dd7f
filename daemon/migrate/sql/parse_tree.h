// The statements of a text as trees. Fields that are zero, false or empty are absent from a tree,
// so every accessor has a value for "absent".
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "migrate/sql/parser.h"
#include "migrate/sql/text.h"

namespace pantryd::migrate {

struct Statement {
  std::string kind;       ///< "IndexStmt"; empty when it could not be parsed
  Json body;              ///< the fields of that node
  std::size_t base = 0;   ///< what to add to a "location" of the tree, bytes
  std::size_t begin = 0;  ///< the first byte that is no comment
  std::size_t end = 0;    ///< behind the last byte, without the semicolon
  std::string error;      ///< why it could not be parsed
};

/// Calls `seen` with every statement of the text, in order. What the parser refuses comes with kind
/// "" and does not keep the others from being read. The trees of only a few statements are in
/// memory at a time: one is about a hundred times as large as its text.
void each_statement(const SqlText& text, const std::function<void(const Statement&)>& seen);

/// A static null when there is no such field.
[[nodiscard]] const Json& child(const Json& node, const char* key);
[[nodiscard]] std::string text_of(const Json& node, const char* key);
[[nodiscard]] bool flag(const Json& node, const char* key);
[[nodiscard]] std::int64_t number(const Json& node, const char* key, std::int64_t absent = 0);
/// The texts of a list of String nodes.
[[nodiscard]] std::vector<std::string> names_of(const Json& list);
/// The last of them: a type or function without its schema. Empty when there is none.
[[nodiscard]] std::string last_name(const Json& list);
/// Every node below, with its kind ("FuncCall"). Iterative: trees may be deep.
void visit(const Json& root, const std::function<void(const std::string&, const Json&)>& seen);
/// True when the list of DefElem nodes has this option, switched on.
[[nodiscard]] bool has_option(const Json& list, std::string_view name);

struct ColumnType {
  std::string name;  ///< PostgreSQL's internal one: "int4", "varchar", "timestamptz", "text[]"
  std::vector<std::int64_t> modifiers;
};
[[nodiscard]] ColumnType column_type(const Json& type_name);

}  // namespace pantryd::migrate
