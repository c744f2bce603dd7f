// Both programs print findings as FILE:LINE:COLUMN: TEXT, with the paths that they were given.
#include "tests/tidy/tools.h"

#include <cstdlib>

#include "base/error.h"
#include "base/subprocess.h"

namespace pantryd::tidy {
namespace {

constexpr auto kLimit = std::chrono::minutes(2);

int number_at(std::string_view text) {
  return std::atoi(std::string(text.substr(0, 9)).c_str());
}

/// "a.cpp:3:1: error: what" as a finding; other lines are none.
void add_finding(std::string_view line, Findings& findings) {
  const auto path_end = line.find(':');
  if (path_end == std::string_view::npos) return;
  const auto message = line.find(": ", path_end);
  const int number = number_at(line.substr(path_end + 1));
  if (number == 0 || message == std::string_view::npos) return;
  findings.push_back(
      {std::string(line.substr(0, path_end)), number, std::string(line.substr(message + 2))});
}

/// Runs `argv` with the paths behind it, from `root`.
Findings run_tool(const std::filesystem::path& root, std::vector<std::string> argv,
                  const std::vector<std::string>& paths) {
  Findings findings;
  // In groups, since run_child keeps the last 64 KiB of the output only.
  constexpr std::size_t kGroup = 40;
  for (std::size_t at = 0; at < paths.size(); at += kGroup) {
    ChildSpec spec;
    spec.argv = argv;
    spec.cwd = root;
    for (auto i = at; i < std::min(at + kGroup, paths.size()); ++i) spec.argv.push_back(paths[i]);
    const auto result = run_child(spec, Deadline::in(kLimit));
    const auto before = findings.size();
    for (const auto line : lines_of(result.output)) add_finding(line, findings);
    if (!result.ok() && findings.size() == before) {
      throw Error(ExitCode::failed, argv.front() + " failed: " + result.tail());
    }
  }
  return findings;
}

}  // namespace

std::optional<std::string> find_clang_format() {
  const auto wanted = "version " + std::to_string(kClangFormatMajor) + ".";
  for (const auto& name :
       {"clang-format-" + std::to_string(kClangFormatMajor), std::string("clang-format")}) {
    const auto program = find_program(name);
    if (!program) continue;
    const auto said = run_child({{program->string(), "--version"}}, Deadline::in(kLimit));
    if (said.ok() && said.output.find(wanted) != std::string::npos) return program->string();
  }
  return std::nullopt;
}

Findings check_format(const std::filesystem::path& root, const Tree& tree,
                      const std::string& clang_format) {
  std::vector<std::string> paths;
  for (const auto& [path, text] : tree) {
    if (is_cpp(path)) paths.push_back(path);
  }
  return run_tool(root, {clang_format, "--dry-run", "--ferror-limit=1", "--Werror"}, paths);
}

Findings check_scripts(const std::filesystem::path& root, const Tree& tree) {
  if (!find_program("shellcheck")) {
    throw Error(ExitCode::failed, "shellcheck is not installed", "Run ./run install.");
  }
  std::vector<std::string> paths;
  for (const auto& [path, text] : tree) {
    if (is_script(path, text)) paths.push_back(path);
  }
  return run_tool(
      root, {"shellcheck", "--format=gcc", "--external-sources", "--source-path=SCRIPTDIR"}, paths);
}

}  // namespace pantryd::tidy
