// The only escaper of HTML: every text that a page or a drawing shows goes through it.
#pragma once

#include <string>
#include <string_view>

namespace pantryd::html {

/// For text between tags and in quoted attributes. A control character becomes a space.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace pantryd::html
