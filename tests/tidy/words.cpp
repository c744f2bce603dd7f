// A word is matched as a whole word and in any case: "tells" is another form of "tell" and banned
// as well, "until" and "retell" are not.
#include "tests/tidy/words.h"

#include <algorithm>
#include <cctype>

#include "tests/tidy/code.h"

namespace pantryd::tidy {
namespace {

bool is_letter(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) != 0;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool has_word(const std::string& text, const std::string& word) {
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    const auto end = at + word.size();
    // The n of an escaped line break is no letter of the word that follows it.
    const bool escaped = at > 1 && text[at - 2] == '\\' && text[at - 1] == 'n';
    const bool begins = at == 0 || escaped || !is_letter(text[at - 1]);
    if (begins && (end == text.size() || !is_letter(text[end]))) return true;
  }
  return false;
}

void look_at(const std::string& path, int line, std::string_view text, Findings& findings) {
  const auto lowered = lower(text);
  for (const auto& word : banned_words()) {
    if (has_word(lowered, word)) {
      findings.push_back({path, line, "\"" + word + "\" in: " + std::string(text.substr(0, 100))});
    }
  }
}

/// A line without its comment; a # inside of quotes begins none.
std::string_view without_comment(std::string_view line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '#' && (i == 0 || line[i - 1] == ' ')) {
      return line.substr(0, i);
    }
  }
  return line;
}

bool is_operators_text(const std::string& path, const std::string& text) {
  const bool yaml = path.ends_with(".yaml");
  return (yaml && (path.starts_with("probes/") || path.starts_with("config/"))) ||
         (!path.starts_with("tests/") && is_script(path, text));
}

}  // namespace

const std::vector<std::string>& banned_words() {
  static const std::vector<std::string> words = {"told", "tell",  "tells",  "telling",
                                                 "anew", "shall", "is none"};
  return words;
}

Findings check_words(const Tree& tree) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (is_cpp(path) && is_product(path)) {
      for (const auto& literal : literals_of(text)) {
        look_at(path, literal.line, literal.text, findings);
      }
    } else if (is_operators_text(path, text)) {
      int number = 0;
      for (const auto line : lines_of(text)) {
        look_at(path, ++number, without_comment(line), findings);
      }
    }
  }
  return findings;
}

}  // namespace pantryd::tidy
