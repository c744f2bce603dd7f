// The rules that other programs check: clang-format and shellcheck.
#pragma once

#include <filesystem>
#include <optional>

#include "tests/tidy/tree.h"

namespace pantryd::tidy {

/// The version of clang-format that the sources are formatted with: others break lines elsewhere.
inline constexpr int kClangFormatMajor = 14;

/// A clang-format of kClangFormatMajor; nothing: this machine has none.
[[nodiscard]] std::optional<std::string> find_clang_format();

/// Files below `root` that clang-format would change.
[[nodiscard]] Findings check_format(const std::filesystem::path& root, const Tree& tree,
                                    const std::string& clang_format);
/// Throws Error if shellcheck is missing.
[[nodiscard]] Findings check_scripts(const std::filesystem::path& root, const Tree& tree);

}  // namespace pantryd::tidy
