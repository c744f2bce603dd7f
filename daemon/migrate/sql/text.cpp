// State while scanning: depth_ counts open parentheses, body_depth_ is above zero inside a BEGIN
// ATOMIC body (CASE ... END counts too, because it ends with the same word); statement_token_ is
// the first token of the statement that is being read. Tokens never overlap and are in order.
#include "migrate/sql/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>

#include "base/assert.h"
#include "base/error.h"
#include "pg/conninfo.h"
#include "pg/identifier.h"

namespace pantryd::migrate {
namespace {

constexpr std::size_t kExcerptMax = 120;
constexpr std::size_t kMarkBytes = 256;
constexpr auto npos = std::string::npos;

bool begins_word(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
}
bool continues_word(char c) {
  return begins_word(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '$';
}
bool is_blank(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0;
}

std::size_t after_comment(const std::string& text, std::size_t at) {
  int open = 0;
  while (at < text.size()) {
    const auto two = text.compare(at, 2, "/*") == 0 ? 1 : text.compare(at, 2, "*/") == 0 ? -1 : 0;
    open += two;
    at += two == 0 ? 1 : 2;
    if (open == 0) return at;
  }
  return text.size();
}

/// `at` is the opening quote. A doubled quote goes on; a backslash escapes only where told.
std::size_t after_quoted(const std::string& text, std::size_t at, bool backslash) {
  const char quote = text[at++];
  while (at < text.size()) {
    if (backslash && text[at] == '\\') {
      at += 2;
    } else if (text[at] != quote) {
      ++at;
    } else if (at + 1 < text.size() && text[at + 1] == quote) {
      at += 2;
    } else {
      return at + 1;
    }
  }
  return text.size();
}

/// The end of a dollar-quoted string that begins at `at`; npos when none does.
std::size_t after_dollar_quoted(const std::string& text, std::size_t at) {
  auto end = at + 1;
  while (end < text.size() && text[end] != '$' && continues_word(text[end])) ++end;
  if (end >= text.size() || text[end] != '$') return npos;
  if (end > at + 1 && !begins_word(text[at + 1])) return npos;
  const auto tag = text.substr(at, end - at + 1);
  const auto close = text.find(tag, end + 1);
  return close == npos ? text.size() : close + tag.size();
}

/// Regular expressions are slow, and few statements need one.
bool mentions_password(std::string_view text) {
  constexpr std::string_view word = "password";
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         }) != text.end();
}

}  // namespace

SqlText::SqlText(std::string_view sql) : clean_(sql) {
  // The parser is a C function: a zero byte would end its text early.
  std::replace(clean_.begin(), clean_.end(), '\0', ' ');
  line_starts_.push_back(0);
  std::size_t characters = 0;
  for (std::size_t i = 0; i < clean_.size(); ++i) {
    if (i % kMarkBytes == 0) character_marks_.push_back(characters);
    characters += (clean_[i] & 0xC0) != 0x80 ? 1 : 0;
    if (clean_[i] == '\n') line_starts_.push_back(i + 1);
  }
  scan();
}

void SqlText::scan() {
  for (std::size_t at = 0; at < clean_.size();) {
    if (is_blank(clean_[at])) {
      ++at;
    } else if (clean_.compare(at, 2, "--") == 0) {
      at = std::min(clean_.find('\n', at), clean_.size());
    } else if (clean_.compare(at, 2, "/*") == 0) {
      at = after_comment(clean_, at);
    } else if (clean_[at] == '\\') {
      const auto end = std::min(clean_.find('\n', at), clean_.size());
      meta_commands_.push_back(at);
      blank(at, end);
      at = end;
    } else {
      at = scan_token(at);
    }
  }
}

std::size_t SqlText::scan_token(std::size_t at) {
  const char c = clean_[at];
  const char next = at + 1 < clean_.size() ? clean_[at + 1] : '\0';
  Token token{TokenKind::symbol, at, at + 1, depth_, false};
  if (c == '\'' || ((c == 'E' || c == 'e') && next == '\'')) {
    token.kind = TokenKind::string;
    token.end = after_quoted(clean_, c == '\'' ? at : at + 1, c != '\'');
  } else if (c == '"') {
    token.kind = TokenKind::quoted_name;
    token.end = after_quoted(clean_, at, false);
  } else if (c == '$' && after_dollar_quoted(clean_, at) != npos) {
    token.kind = TokenKind::string;
    token.end = after_dollar_quoted(clean_, at);
  } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
    token.kind = TokenKind::number;
    const auto goes_on = [](char d) { return continues_word(d) || d == '.'; };
    while (token.end < clean_.size() && goes_on(clean_[token.end])) ++token.end;
  } else if (begins_word(c)) {
    token.kind = TokenKind::word;
    while (token.end < clean_.size() && continues_word(clean_[token.end])) ++token.end;
    tokens_.push_back(token);
    track_body(token);
    return token.end;
  } else if (c == '(' || c == '[') {
    ++depth_;
  } else if (c == ')' || c == ']') {
    token.depth = depth_ = std::max(0, depth_ - 1);
  } else if (c == ';' && depth_ == 0 && body_depth_ == 0) {
    token.separator = true;
  }
  token.end = std::min(token.end, clean_.size());
  PANTRYD_ASSERT(at < token.end && (tokens_.empty() || tokens_.back().end <= at));
  tokens_.push_back(token);
  return token.separator ? end_statement(token.end) : token.end;
}

void SqlText::track_body(const Token& /*word*/) {
  const auto last = tokens_.size() - 1;
  if (body_depth_ == 0) {
    if (last > 0 && is_word(last, "atomic") && is_word(last - 1, "begin")) body_depth_ = 1;
  } else if (is_word(last, "case")) {
    ++body_depth_;
  } else if (is_word(last, "end")) {
    --body_depth_;
  }
}

/// After COPY ... FROM STDIN; the data of psql may follow, up to a line that is "\.".
std::size_t SqlText::end_statement(std::size_t at) {
  bool from_stdin = false;
  if (is_word(statement_token_, "copy")) {
    for (auto i = statement_token_; i + 1 < tokens_.size(); ++i) {
      from_stdin = from_stdin || (is_word(i, "from") && is_word(i + 1, "stdin"));
    }
  }
  statement_token_ = tokens_.size();
  if (!from_stdin) return at;
  const auto data = clean_.find('\n', at);
  const auto end = data == npos ? npos : clean_.find("\n\\.", data);
  if (end == npos) return at;
  blank(data, end + 3);
  return end + 3;
}

void SqlText::blank(std::size_t begin, std::size_t end) {
  for (auto i = begin; i < end; ++i) {
    if (clean_[i] != '\n') clean_[i] = ' ';
  }
}

std::size_t SqlText::token_at(std::size_t offset) const {
  const auto found =
      std::lower_bound(tokens_.begin(), tokens_.end(), offset,
                       [](const Token& token, std::size_t place) { return token.begin < place; });
  return static_cast<std::size_t>(found - tokens_.begin());
}

std::size_t SqlText::clause_end(std::size_t offset) const {
  const auto first = token_at(offset);
  auto end = offset;
  for (auto i = first; i < tokens_.size(); ++i) {
    const auto& token = tokens_[i];
    if (token.separator || token.depth < tokens_[first].depth) break;
    const char c = clean_[token.begin];
    if (token.kind == TokenKind::symbol && token.depth == tokens_[first].depth && c == ',') break;
    end = token.end;
  }
  return end;
}

std::string_view SqlText::slice(std::size_t begin, std::size_t end) const {
  if (begin >= clean_.size() || end <= begin) return {};
  auto out = std::string_view(clean_).substr(begin, end - begin);
  while (!out.empty() && is_blank(out.back())) out.remove_suffix(1);
  return out;
}

bool SqlText::is_word(std::size_t token, std::string_view word) const {
  if (token >= tokens_.size() || tokens_[token].kind != TokenKind::word) return false;
  const auto& at = tokens_[token];
  if (at.end - at.begin != word.size()) return false;
  return std::equal(word.begin(), word.end(), clean_.begin() + static_cast<long>(at.begin),
                    [](char a, char b) {
                      return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
                    });
}

std::vector<std::pair<std::size_t, std::size_t>> SqlText::pieces() const {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  std::size_t first = 0;
  for (std::size_t i = 0; i <= tokens_.size(); ++i) {
    if (i < tokens_.size() && !tokens_[i].separator) continue;
    if (i > first) out.emplace_back(tokens_[first].begin, tokens_[i - 1].end);
    first = i + 1;
  }
  return out;
}

std::pair<int, int> SqlText::place(std::size_t offset) const {
  offset = std::min(offset, clean_.size());
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto column = characters_before(offset) - characters_before(*(after - 1)) + 1;
  return {static_cast<int>(after - line_starts_.begin()), static_cast<int>(column)};
}

std::size_t SqlText::characters_before(std::size_t offset) const {
  if (character_marks_.empty()) return 0;
  const auto mark = std::min(offset / kMarkBytes, character_marks_.size() - 1);
  auto count = character_marks_[mark];
  for (auto i = mark * kMarkBytes; i < offset; ++i) count += (clean_[i] & 0xC0) != 0x80 ? 1 : 0;
  return count;
}

/// Only words and operators nest a tree, and a comma begins a sibling; what goes on across commas
/// (UNION, JOIN and their kin) is counted for the whole piece.
std::size_t SqlText::nesting_bound(std::size_t begin, std::size_t end) const {
  std::vector<std::size_t> levels{0};  // words and operators of the current element, by depth
  std::size_t sum = 0;
  std::size_t deepest = 0;
  std::size_t chained = 0;
  for (auto i = token_at(begin); i < tokens_.size() && tokens_[i].begin < end; ++i) {
    const char c = clean_[tokens_[i].begin];
    const bool symbol = tokens_[i].kind == TokenKind::symbol;
    if (symbol && c == ',') {
      sum -= std::exchange(levels.back(), 0);
    } else if (symbol && (c == ')' || c == ']')) {
      if (levels.size() == 1) continue;
      // What stood in the parentheses may still be below what follows them.
      sum -= levels.back();
      levels.pop_back();
    } else if (tokens_[i].kind == TokenKind::word || symbol) {
      ++levels.back();
      deepest = std::max(deepest, ++sum);
      if (symbol && (c == '(' || c == '[')) levels.push_back(0);
    }
    for (const auto* word : {"union", "intersect", "except", "join", "when"}) {
      chained += is_word(i, word) ? 1 : 0;
    }
  }
  return deepest + chained;
}

std::string excerpt(std::string_view statement) {
  // Only the head is shown; but a secret may straddle the cut, so mask before it.
  constexpr std::size_t head_bytes = 4096;
  static const std::regex secret(R"((password\s+)(E?'(?:[^'\\]|''|\\.)*'?|\$\$[^$]*(?:\$\$)?))",
                                 std::regex::icase);
  auto line = one_line(statement.substr(0, head_bytes));
  if (mentions_password(line)) line = std::regex_replace(line, secret, "$1'***'");
  line = pg::mask_secrets(line);
  std::size_t characters = 0;
  std::size_t cut = 0;  // where the last character that leaves room for "..." ends
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((line[i] & 0xC0) == 0x80) continue;
    if (characters == kExcerptMax - 3) cut = i;
    if (++characters > kExcerptMax) return line.substr(0, cut) + "...";
  }
  return line;
}

std::string quote_name(const std::string& name) {
  // The reserved words that people do use as names.
  static constexpr std::array reserved{
      "all",    "analyse", "analyze", "and",     "any",        "array",  "as",      "asc",
      "both",   "case",    "cast",    "check",   "column",     "create", "default", "desc",
      "do",     "else",    "end",     "false",   "for",        "from",   "grant",   "group",
      "having", "in",      "into",    "limit",   "not",        "null",   "offset",  "on",
      "only",   "or",      "order",   "primary", "references", "select", "some",    "table",
      "then",   "to",      "true",    "union",   "unique",     "user",   "using",   "when",
      "where",  "window",  "with"};
  const bool plain = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
                     });
  if (plain && std::find(reserved.begin(), reserved.end(), name) == reserved.end()) return name;
  return pg::quote_identifier(name);
}

}  // namespace pantryd::migrate
