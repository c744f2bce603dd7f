// Reads the tree once; binary files are left out by their extension.
#include "tests/tidy/tree.h"

#include <array>
#include <fstream>
#include <iterator>

namespace pantryd::tidy {
namespace fs = std::filesystem;
namespace {

constexpr std::array kTextEndings = {
    ".h",   ".cpp", ".md",   ".yaml", ".yml",  ".sh",      ".sql", ".cmake", ".txt",
    ".css", ".js",  ".json", ".html", ".conf", ".service", ".in",  ".S",     ".def",
};

bool is_text(const fs::path& path) {
  const auto ending = path.extension().string();
  if (ending.empty()) return true;  // run, .ci/run, LICENSE
  for (const auto* const known : kTextEndings) {
    if (ending == known) return true;
  }
  return false;
}

bool is_left_out(const fs::path& folder) {
  const auto name = folder.filename().string();
  return name == "build" || name == "node_modules" || (name.starts_with(".") && name != ".ci");
}

}  // namespace

std::string to_string(const Finding& finding) {
  return finding.path + ":" + std::to_string(finding.line) + ": " + finding.message;
}

Tree read_tree(const fs::path& root) {
  Tree tree;
  for (fs::recursive_directory_iterator at(root), end; at != end; ++at) {
    if (at->is_directory()) {
      if (is_left_out(at->path())) at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file() || !is_text(at->path())) continue;
    std::ifstream in(at->path(), std::ios::binary);
    tree.emplace(at->path().lexically_relative(root).generic_string(),
                 std::string(std::istreambuf_iterator<char>(in), {}));
  }
  return tree;
}

bool is_header(std::string_view path) {
  return path.ends_with(".h");
}

bool is_source(std::string_view path) {
  return path.ends_with(".cpp");
}

bool is_script(std::string_view path, std::string_view text) {
  if (path.ends_with(".sh")) return true;
  const auto first = text.substr(0, text.find('\n'));
  return first.starts_with("#!") &&
         (first.ends_with("bash") || first.ends_with("/sh") || first.ends_with(" sh"));
}

bool is_product(std::string_view path) {
  return path.starts_with("daemon/") || path.starts_with("probes/") || path.starts_with("loadgen/");
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

}  // namespace pantryd::tidy
