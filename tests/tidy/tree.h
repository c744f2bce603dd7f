// The files of the repository in memory, as the rules of tidy read them. A test of a rule makes a
// small tree by hand.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::tidy {

/// One breach of a rule. Several of one file are several findings.
struct Finding {
  std::string path;  ///< below the root
  int line = 0;      ///< from 1; 0: the whole file
  std::string message;
};
using Findings = std::vector<Finding>;

/// "path:line: message".
[[nodiscard]] std::string to_string(const Finding& finding);

/// Text by path below the root, such as "daemon/base/error.h".
using Tree = std::map<std::string, std::string>;

/// Every text file below `root`, without build folders, hidden folders (but .ci) and what npm
/// installs. Throws std::filesystem::filesystem_error.
[[nodiscard]] Tree read_tree(const std::filesystem::path& root);

[[nodiscard]] bool is_header(std::string_view path);
[[nodiscard]] bool is_source(std::string_view path);
[[nodiscard]] inline bool is_cpp(std::string_view path) {
  return is_header(path) || is_source(path);
}
/// A shell script by its name or its first line.
[[nodiscard]] bool is_script(std::string_view path, std::string_view text);
/// Below daemon, probes or loadgen: what goes into the binary.
[[nodiscard]] bool is_product(std::string_view path);

[[nodiscard]] std::vector<std::string_view> lines_of(std::string_view text);
/// The part of a path before its last slash; empty without one.
[[nodiscard]] std::string folder_of(std::string_view path);

}  // namespace pantryd::tidy
