// A line is a header by its first bytes alone: one within a string or a comment of several lines
// counts, too.
#include "migrate/files/header.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pantryd::migrate {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

/// The first word, and what follows it without blanks around it.
std::pair<std::string_view, std::string_view> first_word(std::string_view text) {
  const auto end = std::min(text.find_first_of(kBlanks), text.size());
  return {text.substr(0, end), trimmed(text.substr(end))};
}

HeaderKind kind_of(std::string_view word, std::string_view value) {
  using Row = std::pair<std::string_view, HeaderKind>;
  static constexpr std::array kinds{Row{"up", HeaderKind::up},
                                    Row{"down", HeaderKind::down},
                                    Row{"no-transaction", HeaderKind::no_transaction},
                                    Row{"lock-timeout", HeaderKind::lock_timeout},
                                    Row{"statement-timeout", HeaderKind::statement_timeout},
                                    Row{"allow", HeaderKind::allow}};
  const auto* found =
      std::find_if(kinds.begin(), kinds.end(), [&](const Row& row) { return row.first == word; });
  if (found == kinds.end()) return HeaderKind::unknown;
  const bool marks_section = found->second == HeaderKind::up || found->second == HeaderKind::down;
  return marks_section && !value.empty() ? HeaderKind::unknown : found->second;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool is_blank_line(std::string_view line) {
  const auto text = trimmed(line);
  return text.empty() || text.substr(0, 2) == "--";
}

std::string unix_lines(std::string_view text) {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    text.remove_prefix(kByteOrderMark.size());
  }
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out.push_back(text[i]);
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out.push_back('\n');
    }
  }
  return out;
}

void each_line(std::string_view text, const std::function<void(const FileLine&)>& seen) {
  FileLine line;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    line.text = text.substr(at, end - at);
    at = end + 1;
    ++line.number;
    line.header.reset();
    if (line.text.substr(0, kHeaderMark.size()) == kHeaderMark) {
      Header header;
      header.text = trimmed(line.text.substr(kHeaderMark.size()));
      const auto [word, value] = first_word(header.text);
      header.value = value;
      header.kind = kind_of(word, value);
      if (header.kind == HeaderKind::up || header.kind == HeaderKind::down) {
        line.section = header.kind == HeaderKind::up ? Section::up : Section::down;
        line.open = true;
      }
      line.header = header;
    } else if (!is_blank_line(line.text)) {
      line.open = false;
    }
    seen(line);
  }
}

Allowance read_allowance(std::string_view value, int line) {
  const auto [rule, rest] = first_word(value);
  const auto [because, reason] = first_word(rest);
  return {std::string(rule), because == "because" ? std::string(reason) : std::string(), line};
}

}  // namespace pantryd::migrate
