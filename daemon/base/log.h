// The log: one line an event on standard error, with a level. What a command answers goes to
// standard output and never through here. A caller never passes a conninfo (see pg/conninfo.h).
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace pantryd::log {

enum class Level { debug, info, warn, error, off };

/// Level names as `--log-level` takes them. Throws Error(usage) for an unknown one.
[[nodiscard]] Level parse_level(std::string_view name);
/// Sets the level of this process and the form of a line: with a time on a terminal and in a pipe,
/// with a "<6>"-style priority and no time when standard error is the journal (sd-daemon(3)).
void init(Level level);
void write(Level level, std::string_view line);

template <typename... Args>
void debug(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::debug, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::info, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void warn(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::warn, fmt::format(text, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> text, Args&&... args) {
  write(Level::error, fmt::format(text, std::forward<Args>(args)...));
}

}  // namespace pantryd::log
