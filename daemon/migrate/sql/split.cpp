// Every statement's text is a part of the section, byte for byte; only those that the runner treats
// differently are parsed once more, to see what they are.
#include "migrate/sql/split.h"

#include <algorithm>
#include <cctype>

#include "base/assert.h"
#include "migrate/sql/parse_tree.h"

namespace pantryd::migrate {
namespace {

/// A statement larger than this holds data, not one of the commands that the runner looks into.
constexpr std::size_t kLookedIntoBytesMax = 1U << 20U;

/// The first byte at or after `at` that is neither blank nor in a comment.
std::size_t skip_blank(std::string_view sql, std::size_t at) {
  while (at < sql.size()) {
    if (std::isspace(static_cast<unsigned char>(sql[at])) != 0) {
      ++at;
    } else if (sql.substr(at, 2) == "--") {
      at = std::min(sql.find('\n', at), sql.size());
    } else if (sql.substr(at, 2) == "/*") {
      int depth = 1;
      for (at += 2; at < sql.size() && depth > 0;) {
        const auto two = sql.substr(at, 2);
        depth += two == "/*" ? 1 : two == "*/" ? -1 : 0;
        at += two == "/*" || two == "*/" ? 2 : 1;
      }
    } else {
      break;
    }
  }
  return at;
}

std::string upper_word(std::string_view sql) {
  std::string out;
  for (const char c : sql.substr(0, 16)) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    out.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return out;
}

void read_index(const Json& node, SqlStatement& out) {
  out.kind = flag(node, "concurrent") ? StatementKind::create_index_concurrently
                                      : StatementKind::create_index;
  out.index = text_of(node, "idxname");
  out.table = text_of(child(node, "relation"), "relname");
  out.index_schema = text_of(child(node, "relation"), "schemaname");
  out.if_not_exists = flag(node, "if_not_exists");
}

void read_drop(const Json& node, SqlStatement& out) {
  if (!flag(node, "concurrent")) return;
  out.kind = StatementKind::drop_index_concurrently;
  const auto& objects = child(node, "objects");
  if (!objects.is_array() || objects.size() != 1) return;
  const auto words = names_of(child(child(objects[0], "List"), "items"));
  if (!words.empty()) out.index = words.back();
  if (words.size() > 1) out.index_schema = words[words.size() - 2];
}

void read_reindex(const Json& node, SqlStatement& out) {
  if (!has_option(child(node, "params"), "concurrently")) return;
  out.kind = StatementKind::reindex_concurrently;
  const auto what = text_of(node, "kind");
  const auto& relation = child(node, "relation");
  out.index_schema = text_of(relation, "schemaname");
  if (what == "REINDEX_OBJECT_INDEX") {
    out.reindex = ReindexOf::index;
    out.index = text_of(relation, "relname");
  } else if (what == "REINDEX_OBJECT_TABLE") {
    out.reindex = ReindexOf::table;
    out.table = text_of(relation, "relname");
  } else if (what == "REINDEX_OBJECT_SCHEMA") {
    out.reindex = ReindexOf::schema;
    out.index_schema = text_of(node, "name");
  } else {
    out.reindex = ReindexOf::database;
  }
}

void read_alter(const Json& node, SqlStatement& out) {
  for (const auto& each : child(node, "cmds")) {
    const auto& command = child(each, "AlterTableCmd");
    if (text_of(command, "subtype") == "AT_DetachPartition" &&
        flag(child(child(command, "def"), "PartitionCmd"), "concurrent")) {
      out.kind = StatementKind::detach_concurrently;
    }
  }
}

void classify(SqlStatement& out) {
  static const std::vector<std::string> kLookedInto{
      "ABORT",   "ALTER",   "BEGIN",   "COMMIT", "COPY",     "CREATE",    "DROP", "END",
      "PREPARE", "REINDEX", "RELEASE", "RESET",  "ROLLBACK", "SAVEPOINT", "SET",  "START"};
  const auto word = upper_word(out.sql);
  if (std::find(kLookedInto.begin(), kLookedInto.end(), word) == kLookedInto.end()) return;
  if (out.sql.size() > kLookedIntoBytesMax) return;
  const auto parsed = parse_sql(out.sql);
  if (!parsed.tree) return;
  const auto& statements = child(*parsed.tree, "stmts");
  if (!statements.is_array() || statements.empty()) return;
  const auto& node = child(statements[0], "stmt");
  if (node.contains("IndexStmt")) read_index(node["IndexStmt"], out);
  if (node.contains("DropStmt")) read_drop(node["DropStmt"], out);
  if (node.contains("AlterTableStmt")) read_alter(node["AlterTableStmt"], out);
  if (node.contains("TransactionStmt")) out.kind = StatementKind::transaction_control;
  if (node.contains("VariableSetStmt")) {
    const auto& set = node["VariableSetStmt"];
    // SET LOCAL and SET TRANSACTION end with their transaction: nothing to say again.
    if (!flag(set, "is_local") && text_of(set, "kind") != "VAR_SET_MULTI") {
      out.kind = StatementKind::setting;
    }
  }
  if (node.contains("CopyStmt")) {
    const auto& copy = node["CopyStmt"];
    if (flag(copy, "is_from") && text_of(copy, "filename").empty()) {
      out.kind = StatementKind::copy_from_stdin;
    }
  }
  if (node.contains("ReindexStmt")) read_reindex(node["ReindexStmt"], out);
}

int line_of(std::string_view sql, std::size_t at) {
  return 1 + static_cast<int>(std::count(sql.begin(), sql.begin() + static_cast<long>(at), '\n'));
}

/// True when a COPY ... FROM STDIN ends right before `at`: what follows it is its data.
bool after_copy(std::string_view sql, std::size_t at) {
  const auto semicolon = sql.rfind(';', at);
  if (semicolon == std::string_view::npos) return false;
  const auto begin = semicolon > 1000 ? semicolon - 1000 : 0;
  std::string before(sql.substr(begin, semicolon - begin));
  for (char& c : before) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  before.erase(0, before.rfind(';') == std::string::npos ? 0 : before.rfind(';'));
  return before.find("COPY") != std::string::npos && before.find("STDIN") != std::string::npos;
}

SplitError explain(std::string_view sql, const ParserError& error) {
  SplitError out;
  const auto at = error.at;
  out.line = line_of(sql, at);
  out.message = error.message;
  if (after_copy(sql, at)) {
    out.reason = SplitError::Reason::copy_data;
    out.message = "data of COPY FROM STDIN is not part of SQL";
  } else if (at < sql.size() && sql[at] == '\\') {
    out.reason = SplitError::Reason::meta_command;
    const auto end = std::min(sql.find_first_of(" \t\n", at), sql.size());
    out.message = std::string(sql.substr(at, end - at)) + " is a command of psql, not SQL";
  }
  return out;
}

}  // namespace

Split split(const std::string& sql) {
  Split out;
  const auto found = find_statements(sql);
  if (found.error) {
    out.error = explain(sql, *found.error);
    return out;
  }
  int line = 1;
  std::size_t counted = 0;
  for (const auto& [begin, end] : found.statements) {
    PANTRYD_ASSERT(counted <= begin && begin <= end && end <= sql.size());
    const auto first = std::min(skip_blank(sql, begin), end);
    line += static_cast<int>(std::count(sql.begin() + static_cast<long>(counted),
                                        sql.begin() + static_cast<long>(first), '\n'));
    counted = first;
    SqlStatement statement;
    statement.sql = sql.substr(first, end - first);
    statement.line = line;
    classify(statement);
    out.statements.push_back(std::move(statement));
  }
  return out;
}

bool is_concurrent(StatementKind kind) {
  return kind == StatementKind::create_index_concurrently ||
         kind == StatementKind::drop_index_concurrently ||
         kind == StatementKind::reindex_concurrently || kind == StatementKind::detach_concurrently;
}

}  // namespace pantryd::migrate
