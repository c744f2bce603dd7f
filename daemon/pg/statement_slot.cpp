// Invariant, under mutex_: text_ begins with the first min(size_, kTextMax) bytes of one statement.
#include "pg/statement_slot.h"

#include <algorithm>
#include <cstring>

#include "pg/redact.h"

namespace pantryd::pg {
namespace {

/// Without the pieces of a UTF-8 character that a cut at the end left.
std::string_view whole_characters(std::string_view text) {
  const auto byte = [&](std::size_t from_end) {
    return static_cast<unsigned char>(text[text.size() - from_end]);
  };
  for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length) {
    const auto head = byte(length);
    if ((head & 0xC0U) == 0x80U) continue;
    const std::size_t wanted = head < 0x80U ? 1 : (head < 0xE0U ? 2 : (head < 0xF0U ? 3 : 4));
    return length < wanted ? text.substr(0, text.size() - length) : text;
  }
  return text;
}

}  // namespace

void StatementSlot::record(std::string_view sql) {
  const auto kept = std::min(sql.size(), kTextMax);
  const std::lock_guard lock(mutex_);
  size_ = sql.size();
  if (kept > 0) std::memcpy(text_.data(), sql.data(), kept);
}

std::string StatementSlot::text() const {
  std::array<char, kTextMax> copy{};
  std::size_t size = 0;
  {
    const std::lock_guard lock(mutex_);
    size = size_;
    copy = text_;
  }
  if (size <= kTextMax) return redact({copy.data(), size});
  return redact(whole_characters({copy.data(), kTextMax})) + "...";
}

}  // namespace pantryd::pg
