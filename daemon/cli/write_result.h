// Results that go to a file as well as to standard output.
#pragma once

#include <filesystem>
#include <string_view>

namespace pantryd::cli {

/// Writes a result that was printed before: the file is whole or unchanged. Throws
/// Error(unwritten).
void write_result(const std::filesystem::path& file, std::string_view content);

}  // namespace pantryd::cli
