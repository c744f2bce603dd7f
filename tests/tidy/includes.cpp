// Resolves "x/y.h" as the compiler does here: below daemon/, then below the root.
#include "tests/tidy/includes.h"

#include <algorithm>
#include <set>

#include "tests/tidy/code.h"

namespace pantryd::tidy {
namespace {

/// Empty: there is no such file.
std::string resolve(const Tree& tree, const std::string& include) {
  for (const auto* const root : {"daemon/", ""}) {
    const auto path = root + include;
    if (tree.contains(path)) return path;
  }
  return "";
}

template <typename Visitor>
void for_each_include(const Tree& tree, const Visitor& visit) {
  for (const auto& [path, text] : tree) {
    if (!is_cpp(path)) continue;
    for (const auto& include : includes_of(text)) visit(path, include);
  }
}

/// By folder, the folders that it includes and the first file that does.
using Graph = std::map<std::string, std::map<std::string, Finding>>;

Graph folders_below(const Tree& tree, std::string_view root) {
  Graph graph;
  for_each_include(tree, [&](const std::string& path, const Include& include) {
    const auto target = resolve(tree, include.path);
    const auto from = folder_of(path);
    const auto to = folder_of(target);
    if (include.angled || target.empty() || from == to) return;
    if (!path.starts_with(root) || !target.starts_with(root)) return;
    graph[from].emplace(to, Finding{path, include.line, target});
  });
  return graph;
}

bool is_reached(const Graph& graph, const std::string& from, const std::string& to) {
  std::set<std::string> seen;
  std::vector<std::string> next = {from};
  while (!next.empty()) {
    const auto folder = next.back();
    next.pop_back();
    if (folder == to) return true;
    if (!seen.insert(folder).second) continue;
    const auto arrows = graph.find(folder);
    if (arrows == graph.end()) continue;
    for (const auto& [target, why] : arrows->second) next.push_back(target);
  }
  return false;
}

}  // namespace

const Arrows& allowed_arrows() {
  static const Arrows arrows = [] {
    const std::vector<std::string> base = {"daemon/base"};
    const std::vector<std::string> pg = {"daemon/base", "daemon/pg"};
    const std::vector<std::string> pool = {"daemon/base", "daemon/pg", "daemon/pool"};
    auto engines = pool;  // what probes and loadgen may use
    engines.emplace_back("daemon/html");
    auto serving = engines;
    for (const auto* const module :
         {"daemon/settings", "daemon/sandbox", "daemon/migrate", "probes", "loadgen"}) {
      serving.emplace_back(module);
    }
    auto all = serving;
    for (const auto* const module : {"daemon/serve", "daemon/validate", "daemon/drill"}) {
      all.emplace_back(module);
    }
    return Arrows{
        {"daemon/base", {}},        {"daemon/html", base},        {"daemon/pg", base},
        {"daemon/pool", pg},        {"daemon/settings", pool},    {"daemon/sandbox", pg},
        {"daemon/migrate", pg},     {"probes", engines},          {"loadgen", engines},
        {"daemon/boards", serving}, {"daemon/validate", serving}, {"daemon/drill", serving},
        {"daemon/serve", serving},  {"daemon/cli", all},
    };
  }();
  return arrows;
}

std::string module_of(std::string_view path) {
  if (path.starts_with("probes/")) return "probes";
  if (path.starts_with("loadgen/")) return "loadgen";
  if (!path.starts_with("daemon/")) return "";
  const auto slash = path.find('/', std::string_view("daemon/").size());
  return slash == std::string_view::npos ? "" : std::string(path.substr(0, slash));
}

Findings check_arrows(const Tree& tree, const Arrows& allowed) {
  Findings findings;
  for_each_include(tree, [&](const std::string& path, const Include& include) {
    if (include.angled) return;
    const auto target = resolve(tree, include.path);
    if (target.empty()) {
      // Benches include their own headers by name, from beside them.
      if (tree.contains(folder_of(path) + "/" + include.path)) return;
      findings.push_back({path, include.line, "there is no file " + include.path});
      return;
    }
    const auto from = module_of(path);
    const auto to = module_of(target);
    if (from.empty() || from == to) return;
    const auto row = allowed.find(from);
    if (row == allowed.end()) {
      findings.push_back({path, include.line, from + " has no row in the table of arrows"});
    } else if (to.empty() ||
               std::find(row->second.begin(), row->second.end(), to) == row->second.end()) {
      findings.push_back({path, include.line, from + " may not include " + target});
    }
  });
  return findings;
}

Findings check_circles(const Tree& tree, std::string_view root) {
  Findings findings;
  const auto graph = folders_below(tree, std::string(root) + "/");
  for (const auto& [from, arrows] : graph) {
    for (const auto& [to, why] : arrows) {
      if (!is_reached(graph, to, from)) continue;
      findings.push_back({why.path, why.line,
                          from + " includes " + why.message + ", and " + to + " includes " + from +
                              " by some way: a circle of folders"});
    }
  }
  return findings;
}

Findings check_internal(const Tree& tree) {
  Findings findings;
  for_each_include(tree, [&](const std::string& path, const Include& include) {
    const auto target = resolve(tree, include.path);
    const auto internal = target.find("/internal/");
    if (include.angled || internal == std::string::npos) return;
    const auto parent = target.substr(0, internal + 1);
    // The tests of a folder are a part of it: tests/unit/daemon/pg may include what daemon/pg may.
    const bool test_of_it = path.starts_with("tests/") && path.find("/" + parent) != path.npos;
    if (path.starts_with(parent) || test_of_it) return;
    findings.push_back(
        {path, include.line, target + " is private to " + target.substr(0, internal)});
  });
  return findings;
}

Findings check_libpq(const Tree& tree) {
  Findings findings;
  for_each_include(tree, [&](const std::string& path, const Include& include) {
    const bool libpq = include.path.starts_with("libpq") || include.path.starts_with("pg_config");
    if (!libpq || path.starts_with("daemon/pg/") || path.starts_with("tests/")) return;
    findings.push_back({path, include.line, "only daemon/pg includes <" + include.path + ">"});
  });
  return findings;
}

}  // namespace pantryd::tidy
