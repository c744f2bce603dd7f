// Commands, configuration keys and metrics: taken apart here, and looked up in what the binary, the
// configuration file and docs/metrics.md say.
#include <algorithm>
#include <array>
#include <cctype>
#include <map>

#include "tests/tidy/docs.h"

namespace pantryd::tidy {
namespace {

/// What may follow the name of the program in a sentence of a message.
constexpr std::array<std::string_view, 13> kProse = {
    "has", "holds", "itself", "works", "does", "as",  "and",
    "of",  "on",    "load:",  "is",    "or",   "that"};

bool is_name(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '_';
  });
}

bool is_command_word(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::islower(c) != 0 || c == '-';
  }) && word.front() != '-';
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : std::string(text) + " ") {
    if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      word += c;
    } else if (!word.empty()) {
      words.push_back(word);
      word.clear();
    }
  }
  return words;
}

/// "verify,", "up)." and "up\n" as the bare word; `last`: the sentence or command ends there.
std::string bare(std::string word, bool& last) {
  if (const auto escape = word.find('\\'); escape != std::string::npos) {
    word.resize(escape);
    last = true;
  }
  while (!word.empty() &&
         std::string_view(".,:;)`'\"").find(word.back()) != std::string_view::npos) {
    word.pop_back();
    last = true;
  }
  return word;
}

struct Call {
  std::string command;
  std::vector<std::string> options;
};

bool takes_value(const std::string& global) {
  return global == "--config" || global == "--dsn" || global == "--log-level";
}

/// The command that begins at words[at], behind the program's name.
Call read_call(const std::vector<std::string>& words, std::size_t at, const Commands& commands) {
  Call call;
  bool last = false;
  bool naming = true;
  for (; at < words.size() && !last; ++at) {
    const auto word = bare(words[at], last);
    if (word == "|" || word == "&&" || word == "#" || word == ">") break;
    if (word.starts_with("--")) {
      const auto name = word.substr(0, word.find('='));
      if (takes_value(name) && word == name) ++at;
      if (name.size() > 2) call.options.push_back(name);
      if (name == "--help") naming = false;
    } else if (naming && is_command_word(word) && call.command.empty()) {
      call.command = word;
      naming = commands.groups.contains(word);
    } else if (naming) {
      if (is_command_word(word) && !call.command.empty()) call.command += " " + word;
      naming = false;
    }
  }
  return call;
}

/// The name that a session has in pg_stat_activity, such as "pantryd migrate watch", is no command.
bool is_session_name(const Mention& mention) {
  if (!is_cpp(mention.path)) return false;
  return std::all_of(mention.text.begin(), mention.text.end(),
                     [](unsigned char c) { return std::islower(c) != 0 || c == ' '; });
}

bool is_program(std::string_view word) {
  return word == "pantryd" || word.ends_with("/pantryd") || word == "`pantryd" ||
         word == "(pantryd";
}

void check_call(const Mention& mention, const Call& call, const Commands& commands,
                Findings& findings) {
  const auto name = "pantryd " + call.command;
  if (commands.groups.contains(call.command)) return;
  if (!commands.names.contains(call.command)) {
    findings.push_back({mention.path, mention.line, "there is no command " + name});
    return;
  }
  if (call.options.empty()) return;
  const auto help = commands.help_of(call.command) + commands.global_help;
  for (const auto& option : call.options) {
    if (help.find(option) != std::string::npos) continue;
    findings.push_back({mention.path, mention.line, name + " has no option " + option});
  }
}

/// Names that are no metrics: databases, schemas and roles.
bool is_other_name(std::string_view name) {
  return name == "pantryd_adopt_";
}

}  // namespace

Commands read_commands(std::string_view help) {
  Commands commands;
  commands.global_help = help;
  bool listing = false;
  for (const auto line : lines_of(help)) {
    if (line.ends_with("ommands:")) listing = true;
    if (line.empty() || !listing || !line.starts_with("  ") || line.starts_with("   ")) continue;
    const auto name = std::string(line.substr(2, line.find("  ", 2) - 2));
    if (!is_command_word(name.substr(0, name.find(' ')))) continue;
    commands.names.insert(name);
    if (name.find(' ') != std::string::npos) commands.groups.insert(name.substr(0, name.find(' ')));
  }
  return commands;
}

Findings check_commands(const std::vector<Mention>& mentions, const Commands& commands) {
  Findings findings;
  for (const auto& mention : mentions) {
    if (is_session_name(mention)) continue;
    // What stands behind a command of a document is a comment of the shell.
    const auto end = is_cpp(mention.path) ? std::string::npos : mention.text.find(" # ");
    const auto words = words_of(std::string_view(mention.text).substr(0, end));
    for (std::size_t i = 0; i + 1 < words.size(); ++i) {
      if (!is_program(words[i])) continue;
      const auto call = read_call(words, i + 1, commands);
      const auto first = call.command.substr(0, call.command.find(' '));
      if (first.empty() || std::find(kProse.begin(), kProse.end(), first) != kProse.end()) continue;
      check_call(mention, call, commands, findings);
    }
  }
  return findings;
}

std::set<std::string> keys_of(std::string_view config) {
  std::set<std::string> keys;
  std::map<std::size_t, std::string> path;  // by column
  for (const auto line : lines_of(config)) {
    auto column = line.find_first_not_of(" #-");
    if (column == std::string_view::npos) continue;
    const auto colon = line.find(':', column);
    if (colon == std::string_view::npos) continue;
    const auto name = line.substr(column, colon - column);
    const bool ends_well = colon + 1 == line.size() || line[colon + 1] == ' ';
    if (!is_name(name) || !ends_well) continue;
    // Removing "# " is what makes a key that is commented out one of the file.
    if (line.find('#') < column) column -= 2;
    path.erase(path.lower_bound(column), path.end());
    const auto prefix = path.empty() ? "" : path.rbegin()->second + ".";
    path[column] = prefix + std::string(name);
    keys.insert(path[column]);
    // {a: 1, b: 2} on the same line.
    const auto rest = line.substr(colon + 1);
    for (auto inner = rest.find(": "); inner != std::string_view::npos;
         inner = rest.find(": ", inner + 1)) {
      const auto begin = rest.find_last_of(" {", inner - 1);
      if (begin == std::string_view::npos || rest.find('{') > begin) continue;
      keys.insert(path[column] + "." + std::string(rest.substr(begin + 1, inner - begin - 1)));
    }
  }
  return keys;
}

Findings check_keys(const std::vector<Mention>& mentions, const std::set<std::string>& keys) {
  Findings findings;
  for (const auto& mention : mentions) {
    std::string word;
    for (const char c : mention.text + " ") {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
          std::string_view("_./-").find(c) != std::string_view::npos) {
        word += c;
        continue;
      }
      while (word.ends_with('.')) word.pop_back();
      const auto dot = word.find('.');
      const auto ending = word.substr(word.rfind('.') + 1);
      const bool file = ending == "h" || ending == "cpp" || ending == "yaml" || ending == "md";
      if (dot != std::string::npos && word.find('/') == std::string::npos && !file &&
          keys.contains(word.substr(0, dot)) && is_name(ending) && !keys.contains(word)) {
        findings.push_back({mention.path, mention.line, "there is no configuration key " + word});
      }
      word.clear();
    }
  }
  return findings;
}

Findings check_metrics(const std::vector<Mention>& mentions, std::string_view metrics) {
  Findings findings;
  for (const auto& mention : mentions) {
    const std::string_view text = mention.text;
    for (auto at = text.find("pantryd_"); at != std::string_view::npos;
         at = text.find("pantryd_", at + 1)) {
      auto end = at;
      while (end < text.size() && is_name(text.substr(end, 1))) ++end;
      auto name = std::string(text.substr(at, end - at));
      // pantryd_pool_* is a family of names.
      const bool pattern = end < text.size() && (text[end] == '*' || text[end] == '{');
      for (const auto* const suffix : {"_bucket", "_sum", "_count"}) {
        if (metrics.find(name) == std::string_view::npos && name.ends_with(suffix)) {
          name.resize(name.size() - std::string_view(suffix).size());
        }
      }
      if (is_other_name(name)) continue;
      const auto wanted = pattern && text[end] == '*' ? name : "`" + name;
      if (metrics.find(wanted) == std::string_view::npos) {
        findings.push_back({mention.path, mention.line, "there is no metric " + name});
      }
    }
  }
  return findings;
}

}  // namespace pantryd::tidy
