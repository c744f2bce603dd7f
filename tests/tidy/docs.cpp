// Finds the code in documents, and asks whether the files that it names exist.
#include "tests/tidy/docs.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "tests/tidy/code.h"

namespace pantryd::tidy {
namespace {

constexpr std::array<std::string_view, 9> kTopFolders = {"daemon/",     "probes/",     "loadgen/",
                                                         "migrations/", "dashboards/", "config/",
                                                         "tests/",      "docs/",       ".ci/"};

bool is_document(std::string_view path) {
  return path.ends_with(".md") && path != "CHANGELOG.md";
}

bool is_path_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
         std::string_view("_-./*{},").find(c) != std::string_view::npos;
}

/// Words of path characters, without the punctuation that ends a sentence.
std::vector<std::string> path_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : std::string(text) + " ") {
    if (is_path_character(c)) {
      word += c;
      continue;
    }
    while (!word.empty() && (word.back() == '.' || word.back() == ',')) word.pop_back();
    if (!word.empty()) words.push_back(word);
    word.clear();
  }
  return words;
}

/// "a{b,c}d" as "abd" and "acd".
std::vector<std::string> alternatives(const std::string& pattern) {
  const auto open = pattern.find('{');
  const auto close = pattern.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {pattern};
  std::vector<std::string> all;
  std::string inner = pattern.substr(open + 1, close - open - 1) + ",";
  for (std::size_t at = 0; at < inner.size();) {
    const auto comma = inner.find(',', at);
    for (const auto& rest : alternatives(pattern.substr(close + 1))) {
      all.push_back(pattern.substr(0, open) + inner.substr(at, comma - at) + rest);
    }
    at = comma + 1;
  }
  return all;
}

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip) {
      if (matches(pattern.substr(1), text.substr(skip))) return true;
      if (skip < text.size() && text[skip] == '/') break;
    }
    return false;
  }
  return !text.empty() && text.front() == pattern.front() &&
         matches(pattern.substr(1), text.substr(1));
}

/// A file or a folder.
bool exists(const Tree& tree, std::string pattern) {
  while (pattern.ends_with('/')) pattern.pop_back();
  return std::any_of(tree.begin(), tree.end(), [&](const auto& file) {
    const std::string& path = file.first;
    for (auto end = path.size(); end != std::string::npos; end = path.rfind('/', end - 1)) {
      if (matches(pattern, std::string_view(path).substr(0, end))) return true;
      if (end == 0) break;
    }
    return false;
  });
}

/// NNN_name.sql, NAME.yaml: the reader puts a name there.
bool has_placeholder(const std::string& word) {
  int capitals = 0;
  for (const char c : word) {
    capitals = std::isupper(static_cast<unsigned char>(c)) != 0 ? capitals + 1 : 0;
    if (capitals == 3) return word.find("README") == std::string::npos;
  }
  return false;
}

void add_spans(const std::string& path, int number, std::string_view line,
               std::vector<Mention>& mentions) {
  for (auto open = line.find('`'); open != std::string_view::npos;) {
    const auto close = line.find('`', open + 1);
    if (close == std::string_view::npos) return;
    mentions.push_back({path, number, std::string(line.substr(open + 1, close - open - 1))});
    open = line.find('`', close + 1);
  }
}

}  // namespace

std::vector<Mention> code_in_documents(const Tree& tree) {
  std::vector<Mention> mentions;
  for (const auto& [path, text] : tree) {
    if (!is_document(path)) continue;
    bool fenced = false;
    int number = 0;
    for (const auto line : lines_of(text)) {
      ++number;
      if (line.starts_with("```")) {
        fenced = !fenced;
      } else if (fenced || line.starts_with("    ")) {
        mentions.push_back({path, number, std::string(line)});
      } else {
        add_spans(path, number, line, mentions);
      }
    }
  }
  return mentions;
}

std::vector<Mention> messages(const Tree& tree) {
  std::vector<Mention> mentions;
  for (const auto& [path, text] : tree) {
    if (!is_cpp(path) || !is_product(path)) continue;
    for (const auto& literal : literals_of(text)) {
      mentions.push_back({path, literal.line, literal.text});
    }
  }
  return mentions;
}

Findings check_paths(const std::vector<Mention>& mentions, const Tree& tree) {
  Findings findings;
  for (const auto& mention : mentions) {
    for (const auto& word : path_words(mention.text)) {
      const bool ours = std::any_of(kTopFolders.begin(), kTopFolders.end(),
                                    [&](const auto& folder) { return word.starts_with(folder); });
      if (!ours || has_placeholder(word)) continue;
      for (const auto& pattern : alternatives(word)) {
        if (exists(tree, pattern)) continue;
        findings.push_back({mention.path, mention.line, "there is no " + pattern});
      }
    }
  }
  return findings;
}

Findings check_links(const Tree& tree) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_document(path)) continue;
    int number = 0;
    for (const auto line : lines_of(text)) {
      ++number;
      for (auto at = line.find("]("); at != std::string_view::npos; at = line.find("](", at + 2)) {
        auto target = line.substr(at + 2, line.find(')', at) - at - 2);
        target = target.substr(0, target.find('#'));
        if (target.empty() || target.find(':') != std::string_view::npos) continue;
        const auto file = (std::filesystem::path(folder_of(path)) / target).lexically_normal();
        if (exists(tree, file.generic_string())) continue;
        findings.push_back({path, number, "there is no " + file.generic_string()});
      }
    }
  }
  return findings;
}

}  // namespace pantryd::tidy
