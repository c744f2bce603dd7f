// One scanner walks the text and reports comments and literals; everything else reads what is left.
#include "tests/tidy/code.h"

#include <algorithm>
#include <cctype>
#include <functional>

namespace pantryd::tidy {
namespace {

enum class Kind { comment, literal };

/// `visit(kind, begin, end)`: a comment with its slashes, or a literal from quote to quote.
using Visit = std::function<void(Kind, std::size_t, std::size_t)>;

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

std::size_t end_or_size(std::size_t at, std::size_t length, std::string_view code) {
  return at == std::string_view::npos ? code.size() : at + length;
}

/// The end of the literal whose opening quote is at `at`; R"x( )x" as well.
std::size_t end_of_literal(std::string_view code, std::size_t at) {
  if (code[at] == '"' && at > 0 && code[at - 1] == 'R') {
    const auto open = code.find('(', at);
    if (open == std::string_view::npos) return code.size();
    const auto close = ")" + std::string(code.substr(at + 1, open - at - 1)) + "\"";
    return end_or_size(code.find(close, open), close.size(), code);
  }
  const char quote = code[at];
  for (auto i = at + 1; i < code.size(); ++i) {
    if (code[i] == '\\') {
      ++i;
    } else if (code[i] == quote || code[i] == '\n') {
      return i + 1;
    }
  }
  return code.size();
}

void scan(std::string_view code, const Visit& visit) {
  for (std::size_t i = 0; i < code.size();) {
    const auto two = code.substr(i, 2);
    if (two == "//" || two == "/*") {
      const auto end = two == "//" ? end_or_size(code.find('\n', i), 0, code)
                                   : end_or_size(code.find("*/", i + 2), 2, code);
      visit(Kind::comment, i, end);
      i = end;
    } else if (code[i] == '"' || (code[i] == '\'' && (i == 0 || !is_word(code[i - 1])))) {
      const auto end = end_of_literal(code, i);
      visit(Kind::literal, i, end);
      i = end;
    } else {
      ++i;
    }
  }
}

int line_at(std::string_view code, std::size_t at) {
  return 1 + static_cast<int>(std::count(code.begin(), code.begin() + static_cast<long>(at), '\n'));
}

bool only_blanks(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; });
}

std::string_view inside(std::string_view literal) {
  if (literal.size() < 2) return {};
  return literal.substr(1, literal.size() - 2);
}

/// The opening brace of the closing one at `close`; npos: there is none.
std::size_t partner_of(std::string_view blank, std::size_t close) {
  int depth = 0;
  for (auto i = close + 1; i-- > 0;) {
    if (blank[i] == '}') ++depth;
    if (blank[i] == '{' && --depth == 0) return i;
  }
  return std::string_view::npos;
}

/// What stands before an opening brace since the last statement or block ended.
std::string_view head_before(std::string_view blank, std::size_t brace) {
  const auto before = blank.substr(0, brace);
  int depth = 0;  // of parentheses
  for (auto i = before.size(); i-- > 0;) {
    const char c = before[i];
    if (c == ')') ++depth;
    if (c == '(') --depth;
    if (depth > 0) continue;
    if (c == '}') {
      // A member's initializer, such as `a_{1}, b_{2} {`, belongs to the head.
      const auto open = partner_of(before, i);
      if (open != std::string_view::npos && open > 0 && is_word(before[open - 1])) {
        i = open;
        continue;
      }
    }
    if (c == ';' || c == '{' || c == '}') return before.substr(i + 1);
  }
  return before;
}

bool is_block(std::string_view blank, std::size_t brace) {
  return brace > 0 && std::isspace(static_cast<unsigned char>(blank[brace - 1])) != 0;
}

bool is_function(std::string_view head) {
  if (head.find('(') == std::string_view::npos) return false;
  std::string_view code = head;
  while (!code.empty() && std::isspace(static_cast<unsigned char>(code.front())) != 0) {
    code.remove_prefix(1);
  }
  while (!code.empty() && std::isspace(static_cast<unsigned char>(code.back())) != 0) {
    code.remove_suffix(1);
  }
  return !code.ends_with("=") && !code.starts_with("namespace") && !code.starts_with("struct ") &&
         !code.starts_with("class ") && !code.starts_with("enum ");
}

}  // namespace

std::string blank_out(std::string_view code) {
  std::string blank(code);
  scan(code, [&](Kind kind, std::size_t begin, std::size_t end) {
    if (kind == Kind::literal) {
      ++begin;
      --end;
    }
    for (auto i = begin; i < end; ++i) {
      if (blank[i] != '\n') blank[i] = ' ';
    }
  });
  return blank;
}

std::vector<Piece> literals_of(std::string_view code) {
  std::vector<Piece> pieces;
  std::size_t last_end = std::string_view::npos;
  scan(code, [&](Kind kind, std::size_t begin, std::size_t end) {
    if (kind != Kind::literal || code[begin] != '"') return;
    const bool joined =
        last_end != std::string_view::npos && only_blanks(code.substr(last_end, begin - last_end));
    if (joined) {
      pieces.back().text += inside(code.substr(begin, end - begin));
    } else {
      pieces.push_back(
          {line_at(code, begin), std::string(inside(code.substr(begin, end - begin)))});
    }
    last_end = end;
  });
  return pieces;
}

std::vector<Include> includes_of(std::string_view code) {
  std::vector<Include> includes;
  int line = 0;
  for (std::size_t at = 0; at < code.size();) {
    const auto end = std::min(code.find('\n', at), code.size());
    const auto text = code.substr(at, end - at);
    ++line;
    at = end + 1;
    if (!text.starts_with("#include ")) continue;
    const auto open = text.find_first_of("\"<");
    const auto close = text.find_last_of("\">");
    if (open == std::string_view::npos || close <= open) continue;
    includes.push_back(
        {line, std::string(text.substr(open + 1, close - open - 1)), text[open] == '<'});
  }
  return includes;
}

std::vector<Function> functions_of(std::string_view code) {
  const auto blank = blank_out(code);
  std::vector<Function> functions;
  int depth = 0;
  int inside_since = 0;  // the depth of the function that we are in; 0: none
  for (std::size_t i = 0; i < blank.size(); ++i) {
    if (blank[i] == '{') {
      ++depth;
      if (inside_since != 0 || !is_block(blank, i)) continue;
      const auto head = head_before(blank, i);
      if (!is_function(head)) continue;
      inside_since = depth;
      functions.push_back({line_at(blank, i), 0, std::string(head)});
    } else if (blank[i] == '}') {
      if (depth == inside_since) {
        inside_since = 0;
        functions.back().lines = line_at(blank, i) - functions.back().line + 1;
      }
      --depth;
    }
  }
  return functions;
}

}  // namespace pantryd::tidy
