// The two documents that are generated from the list of keys; it keeps nothing.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "settings/keys.h"

namespace pantryd {
namespace {

using Lines = std::vector<std::string>;
constexpr std::size_t kColumns = 100;

/// As comment lines that fit below `indent` columns.
Lines comment(const std::string& text, std::size_t indent) {
  Lines out;
  std::string line = "#";
  std::size_t at = 0;
  while (at < text.size()) {
    const auto end = std::min(text.find(' ', at), text.size());
    const auto word = text.substr(at, end - at);
    if (line.size() + 1 + word.size() + indent > kColumns && line.size() > 1) {
      out.push_back(std::exchange(line, "#"));
    }
    line += " " + word;
    at = end + 1;
  }
  out.push_back(line);
  return out;
}

/// "tracked, always or never".
std::string alternatives(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    out += (i == 0 ? "" : (i + 1 == words.size() ? " or " : ", ")) + words[i];
  }
  return out;
}

std::string bounds_of(const KeyInfo& key) {
  if (!key.least.empty()) return fmt::format("{} to {}", key.least, key.most);
  return alternatives(key.choices);
}

std::string default_of(const KeyInfo& key) {
  if (key.required) return "required";
  if (key.otherwise.empty()) return "none";
  return key.otherwise + (key.yields_to.empty() ? "" : ", " + key.yields_to);
}

bool is_comment(const std::string& line) {
  return line.starts_with('#');
}

Lines commented(Lines lines) {
  for (auto& line : lines) line.insert(0, "# ");
  return lines;
}

/// `value` where a plain scalar would be misread.
std::string scalar(const KeyInfo& key, const std::string& value) {
  const bool plain = !key.single || value.find_first_of(":#*'\"[{") == std::string::npos;
  return plain ? value : fmt::format("\"{}\"", value);
}

Lines template_of(const KeyInfo& key, std::size_t indent);

Lines template_of_keys(const std::vector<KeyInfo>& keys, std::size_t indent) {
  Lines out;
  for (const auto& key : keys) {
    for (auto& line : template_of(key, indent)) out.push_back(std::move(line));
  }
  return out;
}

/// The lines below a key: those of a section, or of the only item of a list.
Lines template_below(const KeyInfo& key, std::size_t indent) {
  if (!key.like.empty()) return {"  " + key.example};
  Lines out;
  bool begun = key.shape != KeyShape::list;
  const std::size_t deeper = key.shape == KeyShape::list ? 4 : 2;
  for (const auto& line : template_of_keys(key.keys, indent + deeper)) {
    if (deeper == 2 || (!begun && is_comment(line))) {
      out.push_back("  " + line);
    } else {
      out.push_back((begun ? "    " : "  - ") + line);
      begun = true;
    }
  }
  return out;
}

Lines template_of(const KeyInfo& key, std::size_t indent) {
  auto facts = key.help;
  if (key.shape == KeyShape::value) {
    if (const auto bounds = bounds_of(key); !bounds.empty())
      facts += fmt::format(" Valid: {}.", bounds);
    facts += key.required ? " Required." : fmt::format(" Default: {}.", default_of(key));
  }
  auto out = comment(facts, indent);
  Lines lines;
  bool live = false;
  if (key.shape == KeyShape::value) {
    live = key.required || !key.otherwise.empty();
    lines = {fmt::format("{}: {}", key.name,
                         key.otherwise.empty() ? scalar(key, key.example) : key.otherwise)};
  } else {
    const auto below = template_below(key, indent);
    live = key.required || (!key.optional && key.shape == KeyShape::section &&
                            !std::all_of(below.begin(), below.end(), [](const auto& line) {
                              return is_comment(line.substr(line.find_first_not_of(' ')));
                            }));
    lines = {key.name + ":"};
    lines.insert(lines.end(), below.begin(), below.end());
  }
  if (!live) lines = commented(std::move(lines));
  out.insert(out.end(), lines.begin(), lines.end());
  return out;
}

std::string escaped(std::string text) {
  for (auto at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) {
    text.insert(at, "\\");
  }
  return text;
}

std::string code(const std::string& text) {
  return text.empty() ? "" : fmt::format("`{}`", text);
}

void append_reference(std::string& out, const KeyInfo& key, const std::string& path) {
  if (key.shape == KeyShape::value || !key.like.empty()) return;
  const auto here = path + key.name + (key.shape == KeyShape::list ? "[]" : "");
  out += fmt::format("\n## {}\n\n{}\n\n", here, key.help);
  out += "| key | type | default | valid | meaning |\n|---|---|---|---|---|\n";
  for (const auto& each : key.keys) {
    const auto type = each.like.empty()
                          ? each.type
                          : fmt::format("section, keys as in [{}](#{})", each.like, each.like);
    std::string otherwise;
    if (each.shape == KeyShape::value) {
      otherwise = each.required || each.otherwise.empty() ? default_of(each) : code(each.otherwise);
      if (!each.yields_to.empty()) otherwise += ", " + each.yields_to;
    }
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", each.name, type, escaped(otherwise),
                       bounds_of(each), escaped(each.help));
  }
  for (const auto& each : key.keys) append_reference(out, each, here + ".");
}

}  // namespace

std::string settings_template() {
  std::string out =
      "# Every key of pantryd's configuration: what it means, why one would change it, and its\n"
      "# default. Only targets is required. Durations have a unit: 250ms, 30s, 5m, 2h, 7d.\n"
      "# Generated by `pantryd config show --template`.\n";
  for (const auto& key : key_list()) {
    out += "\n";
    for (const auto& line : template_of(key, 0)) out += line + "\n";
  }
  return out;
}

std::string settings_reference() {
  std::string out =
      "# Configuration\n\nGenerated by `pantryd config show --markdown`; do not edit.\n\n"
      "pantryd reads one YAML file: the one that `--config FILE` names, else "
      "`/etc/pantryd/pantryd.yaml`. Only `targets` is required:\n\n"
      "```yaml\ntargets:\n  - name: main\n    dsn: \"postgresql://pantryd@127.0.0.1:5432/shop\"\n"
      "```\n\n"
      "Every other key has a default that suits production. An unknown key, and an unknown name in "
      "a list, is an error with its place and the nearest name; `pantryd config check` reports it. "
      "`pantryd config show` prints all settings in force, passwords masked. "
      "`config/pantryd.yaml` is a file with every key.\n\n"
      "Durations have a unit: `250ms`, `30s`, `5m`, `2h`, `7d`.\n";
  for (const auto& key : key_list()) append_reference(out, key, "");
  return out;
}

}  // namespace pantryd
