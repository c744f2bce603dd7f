// The statement that ran last on a connection, for other threads to read: who looks at a
// connection that was lent and not given back wants to know what it does.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>

namespace pantryd::pg {

/// Thread-safe: the connection's thread writes, any thread reads. Holds the beginning of a text
/// only, so that a write is a short copy under a mutex that nobody else holds for longer.
class StatementSlot {
 public:
  static constexpr std::size_t kTextMax = 160;

  /// Redacted (pg/redact.h), on one line, "..." at the end when the statement was longer; empty
  /// when none ran since the connection was given back.
  [[nodiscard]] std::string text() const;

  void record(std::string_view sql);
  void clear() { record({}); }

 private:
  mutable std::mutex mutex_;
  std::size_t size_ = 0;  ///< of the statement; text_ holds at most kTextMax of it
  std::array<char, kTextMax> text_{};
};

}  // namespace pantryd::pg
