// Text that the server will take: UTF-8 as PostgreSQL judges it.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace pantryd {

/// Where the first byte stands that is not part of well-formed UTF-8 (RFC 3629: no overlong forms,
/// no surrogates, nothing above U+10FFFF) or is NUL; nullopt when all of it is text.
[[nodiscard]] std::optional<std::size_t> find_not_text(std::string_view bytes);

}  // namespace pantryd
