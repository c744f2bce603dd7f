// Text that the server will take: UTF-8 as PostgreSQL judges it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace pantryd {

/// Bytes of the well-formed UTF-8 character that begins here (RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF), 1 to 4; 0 when none does. NUL is one, of one byte.
[[nodiscard]] std::size_t character_size(std::string_view bytes);

/// Where the first byte stands that is not part of such a character or is NUL; nullopt when all of
/// it is text.
[[nodiscard]] std::optional<std::size_t> find_not_text(std::string_view bytes);

}  // namespace pantryd
