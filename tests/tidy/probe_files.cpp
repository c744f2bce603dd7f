// Reads lines and words; it is no parser of SQL. Invariant: blanked text has the positions of the
// file.
#include "tests/tidy/probe_files.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace pantryd::tidy {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::string_view kAllows = "tidy allows \"";

struct Exception {
  int line = 0;
  std::string text;
  bool reasoned = false;
  bool used = false;
};

struct Hit {
  std::size_t at = 0;
  std::string message;
};

bool is_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

int line_of(std::string_view text, std::size_t at) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(at);
  return static_cast<int>(std::count(text.begin(), end, '\n')) + 1;
}

bool is_comment(std::string_view line) {
  const auto first = line.find_first_not_of(' ');
  return first != npos && line[first] == '#';
}

std::vector<Exception> exceptions_of(std::string_view text) {
  std::vector<Exception> out;
  int number = 0;
  for (const auto line : lines_of(text)) {
    ++number;
    const auto at = line.find(kAllows);
    if (!is_comment(line) || at == npos) continue;
    const auto begin = at + kAllows.size();
    const auto end = line.find("\": ", begin);
    out.push_back({number, std::string(line.substr(begin, end == npos ? npos : end - begin)),
                   end != npos && end + 3 < line.size(), false});
  }
  return out;
}

/// Sentences: they are no SQL.
bool is_text(std::string_view line) {
  const auto first = line.find_first_not_of(' ');
  const auto rest = first == npos ? std::string_view{} : line.substr(first);
  return rest.starts_with("- {name:") || rest.starts_with("summary:");
}

/// Comments and sentences as blanks; a # inside of SQL begins none.
std::string sql_of(std::string_view text) {
  std::string out(text);
  for (std::size_t begin = 0; begin < out.size();) {
    const auto end = std::min(out.find('\n', begin), out.size());
    const auto line = std::string_view(out).substr(begin, end - begin);
    if (is_comment(line) || is_text(line)) {
      std::fill(out.begin() + static_cast<std::ptrdiff_t>(begin),
                out.begin() + static_cast<std::ptrdiff_t>(end), ' ');
    }
    begin = end + 1;
  }
  return out;
}

/// Where `word` is, not as the end of a longer name.
std::vector<std::size_t> places_of(std::string_view text, std::string_view word) {
  std::vector<std::size_t> out;
  for (auto at = text.find(word); at != npos; at = text.find(word, at + 1)) {
    if (at == 0 || !is_name(text[at - 1])) out.push_back(at);
  }
  return out;
}

bool has(std::string_view text, std::string_view word) {
  return text.find(word) != npos;
}

/// The last argument of the call whose opening parenthesis is at `open`.
std::string last_argument(std::string_view text, std::size_t open) {
  int depth = 0;
  bool quoted = false;
  std::size_t begin = open + 1;
  for (auto at = open; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\'') quoted = !quoted;
    if (quoted) continue;
    if (c == '(') ++depth;
    if (c == ',' && depth == 1) begin = at + 1;
    if (c == ')' && --depth == 0) {
      const auto first = text.find_first_not_of(" \n", begin);
      return std::string(text.substr(first, at - first));
    }
  }
  return {};
}

bool begins_as_number(std::string_view text) {
  const auto first = text.find_first_not_of("'-+ ");
  return first != npos && std::isdigit(static_cast<unsigned char>(text[first])) != 0;
}

void look_at_words(const std::string& text, std::vector<Hit>& hits) {
  for (const auto* const word : {"greatest(", "least("}) {
    for (const auto at : places_of(text, word)) {
      hits.push_back({at, std::string(word) + "...) passes over NULL: use CASE"});
    }
  }
  for (const auto at : places_of(text, "coalesce(")) {
    if (begins_as_number(last_argument(text, at + 8))) {
      hits.push_back({at, "coalesce(...) makes a number of what is not known"});
    }
  }
  for (const auto at : places_of(text, "LIMIT ")) {
    hits.push_back({at, "LIMIT leaves rows out in silence: use bound"});
  }
  for (const auto at : places_of(text, "current_database() AS")) {
    hits.push_back({at, "the engine fills the label datname; each database spells names its way"});
  }
}

/// `text` from `begin` to `end` is one query.
void look_at_query(std::string_view text, std::size_t begin, std::size_t end,
                   std::vector<Hit>& hits) {
  const auto query = text.substr(begin, end - begin);
  const auto sql = query.substr(0, std::min(query.find("\n    metrics:"), query.size()));
  const auto hit = [&](std::string_view word, const char* message) {
    const auto places = places_of(sql, word);
    if (!places.empty()) hits.push_back({begin + places.front(), message});
  };
  if (has(sql, "count(") && !has(sql, "backend_type")) {
    hit("pg_stat_activity", "a count of processes needs backend_type");
  }
  if (has(sql, "count(") && !has(sql, "slot_type")) {
    hit("pg_stat_replication\n", "a count of receivers needs slot_type");
    hit("pg_stat_replication ", "a count of receivers needs slot_type");
  }
  if (!has(sql, "pg_last_wal_replay_lsn")) {
    hit("pg_last_wal_receive_lsn", "a standby may be fed from the archive: see what it replayed");
  }
}

void look_at_queries(std::string_view text, std::vector<Hit>& hits) {
  constexpr std::string_view kBegin = "\n  - sql:";
  for (auto at = text.find(kBegin); at != npos;) {
    const auto next = text.find(kBegin, at + 1);
    look_at_query(text, at, next == npos ? text.size() : next, hits);
    at = next;
  }
}

}  // namespace

Findings check_probe_files(const Tree& tree) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!path.starts_with("probes/") || !path.ends_with(".yaml")) continue;
    auto exceptions = exceptions_of(text);
    const auto code = sql_of(text);
    std::vector<Hit> hits;
    look_at_words(code, hits);
    look_at_queries(code, hits);
    for (const auto& hit : hits) {
      bool allowed = false;
      for (auto& each : exceptions) {
        if (each.text.empty() || code.compare(hit.at, each.text.size(), each.text) != 0) continue;
        allowed = each.used = true;
      }
      if (!allowed) findings.push_back({path, line_of(text, hit.at), hit.message});
    }
    for (const auto& each : exceptions) {
      if (!each.reasoned) {
        findings.push_back({path, each.line, "this exception has no reason"});
      } else if (!each.used) {
        findings.push_back({path, each.line, "this exception holds nowhere"});
      }
    }
  }
  std::stable_sort(findings.begin(), findings.end(), [](const auto& a, const auto& b) {
    return std::tie(a.path, a.line) < std::tie(b.path, b.line);
  });
  return findings;
}

}  // namespace pantryd::tidy
