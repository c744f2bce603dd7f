// Files that are whole or absent: what is written here survives a crash or never appears.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace pantryd {

/// Writes beside `path`, fsyncs the file, renames it into place and fsyncs the folder.
/// Throws Error(failed) that names the path and the reason; the old content then still stands.
void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode = 0644);

/// The same for a file that must not be there yet: false, and nothing changed, when it is.
[[nodiscard]] bool create_file_atomically(const std::filesystem::path& path,
                                          std::string_view content, unsigned mode = 0644);

/// The whole file. Throws Error(usage) when it cannot be read or is larger than `limit_bytes`.
[[nodiscard]] std::string read_file(const std::filesystem::path& path,
                                    std::size_t limit_bytes = 16U << 20U);

/// As read_file, but nullopt instead of an error.
[[nodiscard]] std::optional<std::string> try_read_file(const std::filesystem::path& path,
                                                       std::size_t limit_bytes = 16U << 20U);

/// Bytes free for an ordinary user on the file system that holds `path` (or its nearest existing
/// parent). nullopt when it cannot be told.
[[nodiscard]] std::optional<std::uintmax_t> free_bytes(std::filesystem::path path);

}  // namespace pantryd
