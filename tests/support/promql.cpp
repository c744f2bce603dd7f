// Invariant of the scan: `calls` holds one entry for each open parenthesis, the word before it.
#include "tests/support/promql.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/file.h"

namespace pantryd::testing_support {
namespace {

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':' || c == '$';
}

template <std::size_t N>
bool one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 6> kLabelLists{"by",       "without",    "on",
                                                      "ignoring", "group_left", "group_right"};
constexpr std::array<std::string_view, 6> kOperators{"and",  "or",     "unless",
                                                     "bool", "offset", "atan2"};

std::size_t after(std::string_view text, std::size_t from, char closing) {
  while (from < text.size() && text[from] != closing) {
    if (text[from] == '"') from = after(text, from + 1, '"') - 1;
    ++from;
  }
  return std::min(from + 1, text.size());
}

}  // namespace

std::vector<MetricUse> metrics_of(std::string_view text) {
  std::vector<MetricUse> found;
  std::vector<std::string> calls;
  std::string word_before;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '{' || c == '[') {
      at = after(text, at + 1, c == '{' ? '}' : c == '[' ? ']' : '"');
    } else if (is_word(c)) {
      std::size_t end = at;
      while (end < text.size() && is_word(text[end])) ++end;
      word_before = std::string(text.substr(at, end - at));
      at = end;
      while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
      const bool list = one_of(word_before, kLabelLists);
      const bool call = at < text.size() && text[at] == '(' && !one_of(word_before, kOperators);
      if (list) {
        if (call) at = after(text, at + 1, ')');
        continue;
      }
      // `sum by (label) (metric)`: the aggregation's own name is before the list.
      const bool aggregation = text.substr(at, 2) == "by" || text.substr(at, 7) == "without";
      if (call || aggregation) {
        if (aggregation) at = after(text, at, ')');
        at = text.find('(', at);
        if (at == std::string_view::npos) break;
        calls.push_back(word_before);
        ++at;
      } else if (std::isdigit(static_cast<unsigned char>(word_before[0])) == 0 &&
                 !one_of(word_before, kOperators)) {
        found.push_back({word_before, calls.empty() ? "" : calls.back()});
      }
    } else {
      // A bare parenthesis keeps the function that it stands in.
      if (c == '(') calls.push_back(calls.empty() ? "" : calls.back());
      if (c == ')' && !calls.empty()) calls.pop_back();
      ++at;
    }
  }
  return found;
}

std::string substituted(std::string expression) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 2> values{
      {{"$target", ".*"}, {"$__rate_interval", "10s"}}};
  for (const auto& [variable, value] : values) {
    for (auto at = expression.find(variable); at != std::string::npos;
         at = expression.find(variable, at + value.size())) {
      expression.replace(at, variable.size(), value);
    }
  }
  return expression;
}

std::vector<DashboardQuery> dashboard_queries(const std::string& source_dir) {
  std::vector<DashboardQuery> queries;
  for (const auto& entry :
       std::filesystem::directory_iterator(source_dir + "/dashboards/grafana")) {
    if (entry.path().extension() != ".json") continue;
    const auto dashboard = nlohmann::json::parse(read_file(entry.path()));
    for (const auto& panel : dashboard.at("panels")) {
      for (const auto& target : panel.value("targets", nlohmann::json::array())) {
        const auto where = entry.path().filename().string() + ": " +
                           panel.at("title").get<std::string>() + ", query " +
                           target.at("refId").get<std::string>();
        queries.push_back({where, panel.at("type"), target.at("expr")});
      }
    }
  }
  if (queries.empty()) throw std::runtime_error("no dashboard has a query");
  return queries;
}

}  // namespace pantryd::testing_support
