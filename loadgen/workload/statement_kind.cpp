// Words are compared in capitals; comments of the form /* */ and opening brackets may come before
// the first one.
#include "loadgen/workload/statement_kind.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

namespace pantryd::loadgen {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// From the first letter on that is neither in a comment nor behind it.
std::string_view without_comments(std::string_view sql) {
  for (;;) {
    const auto skipped =
        std::find_if(sql.begin(), sql.end(), [](char c) { return !is_space(c) && c != '('; });
    sql.remove_prefix(static_cast<std::size_t>(skipped - sql.begin()));
    if (!sql.starts_with("/*")) return sql;
    const auto end = sql.find("*/");
    if (end == std::string_view::npos) return {};
    sql.remove_prefix(end + 2);
  }
}

/// The next word in capitals, which is taken off `sql`; empty when something else comes.
std::string take_word(std::string_view& sql) {
  sql = without_comments(sql);
  std::string out;
  while (!sql.empty() && is_letter(sql.front())) {
    const char c = sql.front();
    out.push_back(c >= 'a' ? static_cast<char>(c - 'a' + 'A') : c);
    sql.remove_prefix(1);
  }
  return out;
}

template <std::size_t N>
bool is_one_of(const std::string& word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 21> kPlain{
    "SELECT", "INSERT",    "UPDATE",  "DELETE", "MERGE",  "WITH",     "VALUES",
    "TABLE",  "SET",       "RESET",   "SHOW",   "LOCK",   "FETCH",    "MOVE",
    "CLOSE",  "SAVEPOINT", "RELEASE", "NOTIFY", "LISTEN", "UNLISTEN", "DECLARE"};
constexpr std::array<std::string_view, 11> kCounting{"SELECT", "INSERT", "UPDATE", "DELETE",
                                                     "MERGE",  "WITH",   "VALUES", "TABLE",
                                                     "FETCH",  "MOVE",   "EXECUTE"};

}  // namespace

StatementKind statement_kind(const std::string& sql) {
  std::string_view rest = sql;
  const auto word = take_word(rest);
  if (word == "BEGIN" || word == "START") return StatementKind::begins;
  if (word == "COMMIT" || word == "END" || word == "ABORT") return StatementKind::ends;
  if (is_one_of(word, kPlain)) return StatementKind::plain;
  const auto second = take_word(rest);
  if (word == "PREPARE" && second == "TRANSACTION") return StatementKind::ends;
  if (word != "ROLLBACK") return StatementKind::opaque;
  const bool skips = second == "WORK" || second == "TRANSACTION";
  const bool to_savepoint = (skips ? take_word(rest) : second) == "TO";
  return to_savepoint ? StatementKind::plain : StatementKind::ends;
}

bool counts_rows(const std::string& sql) {
  std::string_view rest = sql;
  const auto word = take_word(rest);
  // CREATE TABLE ... AS counts, and so does COPY; a step has no use for either.
  return is_one_of(word, kCounting) || word == "CREATE" || word == "COPY";
}

std::size_t placeholders(const std::string& sql) {
  std::size_t highest = 0;
  for (auto at = sql.find('$'); at != std::string::npos; at = sql.find('$', at + 1)) {
    std::size_t number = 0;
    std::from_chars(sql.data() + at + 1, sql.data() + sql.size(), number);
    highest = std::max(highest, number);
  }
  return highest;
}

}  // namespace pantryd::loadgen
