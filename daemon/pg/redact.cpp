// Invariant: at_ never goes back, and what is between two calls of a step has been decided: either
// it was copied to out_, or it is a constant or a comment and something else was.
#include "pg/redact.h"

#include <algorithm>

#include "base/error.h"
#include "pg/conninfo.h"

namespace pantryd::pg {
namespace {

constexpr std::string_view kHidden = "'***'";

bool is_letter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || byte >= 0x80;
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class Redactor {
 public:
  explicit Redactor(std::string_view sql) : sql_(sql) { out_.reserve(sql.size()); }

  std::string run() {
    while (at_ < sql_.size()) step();
    return std::move(out_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < sql_.size() ? sql_[at_ + ahead] : '\0';
  }
  void copy(std::size_t count) {
    out_ += sql_.substr(at_, count);
    at_ = std::min(sql_.size(), at_ + count);
  }
  void skip(std::size_t count) {
    out_ += ' ';
    at_ = std::min(sql_.size(), at_ + count);
  }
  /// From at_ to the end of `end` after `from`, or to the end of all.
  std::size_t length_until(std::string_view end, std::size_t from) const {
    const auto found = sql_.find(end, at_ + from);
    return (found == std::string_view::npos ? sql_.size() : found + end.size()) - at_;
  }

  void step() {
    const char c = peek();
    if (is_letter(c)) return word();
    if (is_digit(c)) return copy(1);
    if (c == '\'') return constant(false);
    if (c == '"') return quoted_name();
    if (c == '$') return dollar();
    if (c == '-' && peek(1) == '-') return skip(length_until("\n", 2));
    if (c == '/' && peek(1) == '*') return block_comment();
    if (!is_space(c)) after_password_ = after_password_ && c == '=';
    copy(1);
  }

  static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  void word() {
    std::size_t size = 1;
    while (is_letter(peek(size)) || is_digit(peek(size)) || peek(size) == '$') ++size;
    const auto word = sql_.substr(at_, size);
    if (size == 1 && peek(1) == '\'' && (word == "e" || word == "E")) {
      copy(1);
      return constant(true);
    }
    after_password_ = is_password(word);
    copy(size);
  }

  static bool is_password(std::string_view word) {
    constexpr std::string_view kWord = "password";
    if (word.size() != kWord.size()) return false;
    for (std::size_t i = 0; i < word.size(); ++i) {
      if ((word[i] | 0x20) != kWord[i]) return false;
    }
    return true;
  }

  void constant(bool escapes) {
    out_ += kHidden;
    after_password_ = false;
    for (++at_; at_ < sql_.size(); ++at_) {
      if (peek() == '\\') {
        if (!escapes && peek(1) == '\'') at_ = sql_.size() - 1;
        if (escapes) ++at_;
      } else if (peek() == '\'') {
        if (peek(1) != '\'') break;
        ++at_;
      }
    }
    if (at_ < sql_.size()) ++at_;
    at_ = std::min(at_, sql_.size());
  }

  void quoted_name() {
    std::size_t size = 1;
    while (at_ + size < sql_.size() && (peek(size) != '"' || peek(size + 1) == '"')) {
      size += peek(size) == '"' ? 2 : 1;
    }
    size = std::min(size + 1, sql_.size() - at_);
    if (after_password_) {
      out_ += kHidden;
      at_ += size;
    } else {
      copy(size);
    }
    after_password_ = false;
  }

  void dollar() {
    std::size_t size = 1;
    while (is_letter(peek(size)) || (size > 1 && is_digit(peek(size)))) ++size;
    if (peek(size) != '$') return copy(1);  // $1, or a stray one
    const auto tag = sql_.substr(at_, size + 1);
    const auto length = length_until(tag, tag.size());
    out_ += kHidden;
    at_ += length;
    after_password_ = false;
  }

  /// They nest, unlike those of C.
  void block_comment() {
    std::size_t depth = 0;
    std::size_t size = 0;
    do {
      const bool opens = peek(size) == '/' && peek(size + 1) == '*';
      const bool closes = peek(size) == '*' && peek(size + 1) == '/';
      depth += opens ? 1 : 0;
      depth -= closes ? 1 : 0;
      size += opens || closes ? 2 : 1;
    } while (depth > 0 && at_ + size < sql_.size());
    skip(size);
  }

  std::string_view sql_;
  std::size_t at_ = 0;
  std::string out_;
  bool after_password_ = false;
};

}  // namespace

std::string redact(std::string_view sql) {
  return mask_secrets(one_line(Redactor(sql).run()));
}

}  // namespace pantryd::pg
