// The grammar of a command line: one row for each option and argument, and their values after
// parsing. Rows are plain data, so that the help, the completion and the tests read the same rows
// as the parser. Every value is checked when it is parsed: a command reads typed values and never
// parses text again.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::cli {

/// The smallest and the largest value that are allowed: a number, milliseconds or bytes.
struct Bounds {
  double least = 0;
  double most = std::numeric_limits<double>::infinity();
};

/// For a duration without an upper bound.
inline constexpr auto kNoLimit = std::chrono::milliseconds::max();

/// One option or argument of a command. Make it with the functions below.
struct Option {
  enum class Kind {
    flag,       ///< given or not
    text,       ///< any text
    texts,      ///< one text or more: --allow A B
    choice,     ///< one of the words in `value`, which are separated by "|"
    count,      ///< a whole number within the bounds
    number,     ///< a number within the bounds
    duration,   ///< a number and a unit, such as 250ms
    size,       ///< a number of bytes, such as 256MB
    argument,   ///< a word without a name; --NAME is accepted too
    arguments,  ///< any number of such words
    command,    ///< everything after "--", unchanged
  };
  Kind kind = Kind::flag;
  std::string_view name;      ///< without dashes
  std::string_view value;     ///< what the help calls the value, such as FILE
  std::string_view fallback;  ///< the default, written as on a command line; empty: no default
  std::string_view help;      ///< what it is, without a full stop
  Bounds bounds;
  bool required = false;
};

[[nodiscard]] Option flag(std::string_view name, std::string_view help);
[[nodiscard]] Option text(std::string_view name, std::string_view value, std::string_view fallback,
                          std::string_view help);
[[nodiscard]] Option texts(std::string_view name, std::string_view value, std::string_view help);
/// `words` are all allowed values: "faithful|pipelined".
[[nodiscard]] Option choice(std::string_view name, std::string_view words,
                            std::string_view fallback, std::string_view help);
[[nodiscard]] Option count(std::string_view name, std::string_view value, std::string_view fallback,
                           Bounds bounds, std::string_view help);
[[nodiscard]] Option number(std::string_view name, std::string_view value,
                            std::string_view fallback, Bounds bounds, std::string_view help);
[[nodiscard]] Option duration(std::string_view name, std::string_view fallback,
                              std::chrono::milliseconds least, std::chrono::milliseconds most,
                              std::string_view help);
[[nodiscard]] Option size(std::string_view name, std::string_view fallback, Bounds bytes,
                          std::string_view help);
[[nodiscard]] Option argument(std::string_view name, std::string_view value, std::string_view help);
[[nodiscard]] Option arguments(std::string_view name, std::string_view value,
                               std::string_view help);
[[nodiscard]] Option pass_through(std::string_view value, std::string_view help);
/// The same row, which must be given.
[[nodiscard]] Option required(Option option);

/// The rows of several lists, in order.
[[nodiscard]] std::vector<Option> concat(std::initializer_list<std::vector<Option>> lists);
/// The words of a choice.
[[nodiscard]] std::vector<std::string_view> choices(const Option& option);

/// The values of one command line. Asking for a name or a type that the rows do not have is a bug
/// of the command and fails an assertion.
class Values {
 public:
  struct Value {
    Option::Kind kind = Option::Kind::flag;
    bool given = false;
    std::vector<std::string> words;
    std::int64_t integer = 0;  ///< of a count, a duration (ms) or a size (bytes)
    double real = 0;           ///< of a number
  };
  explicit Values(std::map<std::string, Value, std::less<>> values) : values_(std::move(values)) {}

  /// True if the command line names it; a default does not count.
  [[nodiscard]] bool given(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  /// Of a text, a choice or an argument; empty if it is absent and has no default.
  [[nodiscard]] const std::string& text(std::string_view name) const;
  /// Of texts, arguments and what follows "--" (its name is "--").
  [[nodiscard]] const std::vector<std::string>& texts(std::string_view name) const;
  /// These four need a default, or given() asked first.
  [[nodiscard]] std::int64_t count(std::string_view name) const;
  [[nodiscard]] double number(std::string_view name) const;
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view name) const;
  [[nodiscard]] std::int64_t bytes(std::string_view name) const;

 private:
  [[nodiscard]] const Value& at(std::string_view name) const;

  std::map<std::string, Value, std::less<>> values_;
};

/// Parses `words` by `options`; a name is never completed from its first letters. Throws
/// Error(usage) that names the option and says what is right, or ends its hint with `usage`.
[[nodiscard]] Values parse(const std::vector<Option>& options,
                           const std::vector<std::string>& words, const std::string& usage);

}  // namespace pantryd::cli
