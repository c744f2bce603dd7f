// A row as COPY writes it (the manual, COPY, "Text Format").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::pg {

/// The fields as text; NULL is nullopt.
using CopiedRow = std::vector<std::optional<std::string>>;
/// Of a line, with or without its newline.
[[nodiscard]] CopiedRow parse_copied_row(std::string_view line);

}  // namespace pantryd::pg
