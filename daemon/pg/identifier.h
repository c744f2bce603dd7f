// Names in SQL text.
#pragma once

#include <string>
#include <string_view>

namespace pantryd::pg {

/// The name in double quotes, its own ones doubled: means the same in every statement.
[[nodiscard]] std::string quote_identifier(std::string_view name);

}  // namespace pantryd::pg
