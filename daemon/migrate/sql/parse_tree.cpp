// Texts are parsed in chunks, so that only a chunk's tree is in memory; what is nested too deeply
// for the parser is never given to it.
#include "migrate/sql/parse_tree.h"

#include <algorithm>
#include <cctype>

namespace pantryd::migrate {
namespace {

/// libpg_query writes its tree recursively without a look at the stack: 40,000 levels overflow 8
/// MB.
constexpr std::size_t kNestingMax = 4'000;
constexpr std::size_t kChunkBytes = 16U << 10U;

using Seen = std::function<void(const Statement&)>;

/// Runs of statements of at least kChunkBytes, by the parser; empty when it refuses the text.
std::vector<Extent> chunks_of(const std::string& sql) {
  std::vector<Extent> out;
  for (const auto& each : find_statements(sql).statements) {
    if (out.empty() || out.back().end - out.back().begin >= kChunkBytes) {
      out.push_back(each);
    } else {
      out.back().end = each.end;
    }
  }
  return out;
}

void take(Json& tree, const SqlText& text, std::size_t base, std::size_t limit, const Seen& seen) {
  const auto stmts = tree.find("stmts");
  if (stmts == tree.end()) return;
  for (auto& raw : *stmts) {
    auto& node = raw["stmt"];
    if (!node.is_object() || node.empty()) continue;
    Statement statement;
    statement.kind = node.begin().key();
    statement.body = std::move(node.begin().value());
    statement.base = base;
    const auto location = base + static_cast<std::size_t>(number(raw, "stmt_location"));
    const auto length = static_cast<std::size_t>(number(raw, "stmt_len"));
    const auto end = length == 0 ? limit : location + length;
    const auto& tokens = text.tokens();
    auto first = text.token_at(location);
    // Empty statements in front of it are not part of it.
    while (first < tokens.size() && tokens[first].separator) ++first;
    const auto last = text.token_at(end);
    statement.begin = first < tokens.size() ? tokens[first].begin : location;
    statement.end = last > first ? tokens[last - 1].end : end;
    while (last > first && statement.end > end) statement.end = end;
    seen(statement);
  }
}

}  // namespace

void each_statement(const SqlText& text, const Seen& seen) {
  const auto pieces = text.pieces();
  const auto is_too_deep = [&](const auto& piece) {
    return text.nesting_bound(piece.first, piece.second) > kNestingMax;
  };
  if (std::none_of(pieces.begin(), pieces.end(), is_too_deep)) {
    const auto chunks = chunks_of(text.clean());
    for (const auto& [begin, end] : chunks) {
      auto parsed = parse_sql(text.clean().substr(begin, end - begin));
      if (parsed.tree) take(*parsed.tree, text, begin, end, seen);
    }
    if (!chunks.empty()) return;
  }
  for (const auto& piece : pieces) {
    const auto [begin, end] = piece;
    std::string error;
    if (is_too_deep(piece)) {
      error = "nested too deeply to be looked at";
    } else {
      auto parsed = parse_sql(std::string(text.slice(begin, end)));
      if (parsed.tree) {
        take(*parsed.tree, text, begin, end, seen);
        continue;
      }
      error = std::move(parsed.error.message);
    }
    Statement refused;
    refused.base = refused.begin = begin;
    refused.end = end;
    refused.error = error;
    seen(refused);
  }
}

const Json& child(const Json& node, const char* key) {
  static const Json absent;
  if (!node.is_object()) return absent;
  const auto found = node.find(key);
  return found == node.end() ? absent : *found;
}

std::string text_of(const Json& node, const char* key) {
  const auto& value = child(node, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

bool flag(const Json& node, const char* key) {
  const auto& value = child(node, key);
  return value.is_boolean() && value.get<bool>();
}

std::int64_t number(const Json& node, const char* key, std::int64_t absent) {
  const auto& value = child(node, key);
  return value.is_number_integer() ? value.get<std::int64_t>() : absent;
}

std::vector<std::string> names_of(const Json& list) {
  std::vector<std::string> out;
  if (!list.is_array()) return out;
  for (const auto& each : list) out.push_back(text_of(child(each, "String"), "sval"));
  return out;
}

std::string last_name(const Json& list) {
  const auto names = names_of(list);
  return names.empty() ? std::string() : names.back();
}

void visit(const Json& root, const std::function<void(const std::string&, const Json&)>& seen) {
  std::vector<const Json*> waiting{&root};
  while (!waiting.empty()) {
    const auto& node = *waiting.back();
    waiting.pop_back();
    if (node.is_array()) {
      for (const auto& each : node) waiting.push_back(&each);
    } else if (node.is_object()) {
      for (const auto& [key, value] : node.items()) {
        if (std::isupper(static_cast<unsigned char>(key[0])) != 0) seen(key, value);
        if (value.is_structured()) waiting.push_back(&value);
      }
    }
  }
}

bool has_option(const Json& list, std::string_view name) {
  if (!list.is_array()) return false;
  return std::any_of(list.begin(), list.end(), [&](const Json& each) {
    const auto& element = child(each, "DefElem");
    if (text_of(element, "defname") != name) return false;
    auto value = text_of(child(child(element, "arg"), "String"), "sval");
    std::transform(value.begin(), value.end(), value.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const auto& whole = child(child(element, "arg"), "Integer");
    return value != "false" && value != "off" && !(whole.is_object() && number(whole, "ival") == 0);
  });
}

ColumnType column_type(const Json& type_name) {
  ColumnType out{last_name(child(type_name, "names")), {}};
  const auto& modifiers = child(type_name, "typmods");
  if (modifiers.is_array()) {
    for (const auto& each : modifiers) {
      out.modifiers.push_back(number(child(child(each, "A_Const"), "ival"), "ival"));
    }
  }
  const auto& bounds = child(type_name, "arrayBounds");
  if (bounds.is_array() && !bounds.empty()) out.name += "[]";
  return out;
}

}  // namespace pantryd::migrate
