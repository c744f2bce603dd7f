// The words of an SQL text and where they stand. PostgreSQL's parser decides what a statement
// means; this only finds the places the parse tree does not tell (where a clause ends, psql's own
// commands, where to go on after something that does not parse).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace pantryd::migrate {

enum class TokenKind { word, quoted_name, string, number, symbol };

struct Token {
  TokenKind kind;
  std::size_t begin;  ///< bytes
  std::size_t end;
  int depth;       ///< parentheses that are open around it
  bool separator;  ///< a semicolon between two statements
};

class SqlText {
 public:
  /// `sql` is copied. Linear in its length.
  explicit SqlText(std::string_view sql);

  /// The text with psql's commands and inline COPY data blanked out; every byte where it was.
  [[nodiscard]] const std::string& clean() const { return clean_; }
  /// Where psql's commands (\set, \i ...) begin.
  [[nodiscard]] const std::vector<std::size_t>& meta_commands() const { return meta_commands_; }
  [[nodiscard]] const std::vector<Token>& tokens() const { return tokens_; }

  /// The first token that begins at or after `offset`; tokens().size() when there is none.
  [[nodiscard]] std::size_t token_at(std::size_t offset) const;
  /// Where the list element that begins at `offset` ends: before its comma, semicolon or closing
  /// parenthesis, comments behind it left out.
  [[nodiscard]] std::size_t clause_end(std::size_t offset) const;
  [[nodiscard]] std::string_view slice(std::size_t begin, std::size_t end) const;
  /// True when the token is this key word (lower case).
  [[nodiscard]] bool is_word(std::size_t token, std::string_view word) const;
  /// Begin and end of each statement, by separators alone.
  [[nodiscard]] std::vector<std::pair<std::size_t, std::size_t>> pieces() const;
  /// No tree of this piece nests deeper than this, whatever the grammar makes of it.
  [[nodiscard]] std::size_t nesting_bound(std::size_t begin, std::size_t end) const;
  /// Line and column, both from 1; the column counts characters.
  [[nodiscard]] std::pair<int, int> place(std::size_t offset) const;

 private:
  void scan();
  std::size_t scan_token(std::size_t at);
  std::size_t end_statement(std::size_t at);
  void track_body(const Token& word);
  void blank(std::size_t begin, std::size_t end);
  [[nodiscard]] std::size_t characters_before(std::size_t offset) const;

  std::string clean_;
  std::vector<Token> tokens_;
  std::vector<std::size_t> meta_commands_;
  std::vector<std::size_t> line_starts_;
  std::vector<std::size_t> character_marks_;  ///< characters before every kMarkBytes-th byte
  int depth_ = 0;
  int body_depth_ = 0;  ///< open BEGIN ATOMIC, and CASE within
  std::size_t statement_token_ = 0;
};

/// One line of at most 120 characters, with every password replaced by ***.
[[nodiscard]] std::string excerpt(std::string_view statement);

/// The name as SQL: quoted where it has to be.
[[nodiscard]] std::string quote_name(const std::string& name);

}  // namespace pantryd::migrate
