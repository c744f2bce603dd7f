// The grammar of a migration file: sections that begin with "-- migrate:up" and "-- migrate:down",
// and header lines "-- migrate:OPTION". The runner refuses what is wrong in a file (migration.h);
// the linter also reads what the runner refuses (lint/file.h). Both read with this.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pantryd::migrate {

/// "-- migrate:allow RULE because REASON": the rule that the linter does not apply to this file.
struct Allowance {
  std::string rule;
  std::string reason;
  int line = 1;  ///< from 1
};

inline constexpr std::string_view kHeaderMark = "-- migrate:";

enum class Section { above, up, down };

enum class HeaderKind { up, down, no_transaction, lock_timeout, statement_timeout, allow, unknown };

/// A line that begins with kHeaderMark.
struct Header {
  HeaderKind kind = HeaderKind::unknown;
  std::string_view text;   ///< what follows the mark, without blanks around it
  std::string_view value;  ///< what follows the first word of `text`
};

struct FileLine {
  int number = 0;  ///< from 1
  std::string_view text;
  Section section = Section::above;  ///< of a mark: the section that it begins
  bool open = true;                  ///< no statement stands above it in its section
  std::optional<Header> header;
};

/// Ends of lines to LF and no byte order mark. Nothing else changes: blanks at the end of a line
/// may be part of a string, and columns stay right.
[[nodiscard]] std::string unix_lines(std::string_view text);

/// Calls `seen` with each line of a text with Unix ends of lines, in order.
void each_line(std::string_view text, const std::function<void(const FileLine&)>& seen);

/// From the value of a header of the kind allow. Where the rule or the reason is missing, it is
/// empty.
[[nodiscard]] Allowance read_allowance(std::string_view value, int line);

/// Without blanks and tabs around it.
[[nodiscard]] std::string_view trimmed(std::string_view text);

/// True for an empty line and for one that holds only a comment.
[[nodiscard]] bool is_blank_line(std::string_view line);

}  // namespace pantryd::migrate
