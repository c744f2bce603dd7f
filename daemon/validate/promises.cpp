// Every value that is missing makes the promise unreadable.
#include "validate/promises.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <regex>

namespace pantryd::validate {
namespace {

/// Of a session like the application's: this role in this database.
constexpr const char* kSession =
    "SELECT current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";

/// Standbys that a commit waits for, and those whose state this role may not see.
constexpr const char* kSynchronous = R"(
SELECT count(*) FILTER (WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')),
       count(*) FILTER (WHERE state IS NULL)
FROM pg_stat_replication)";

std::string lower_of(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::optional<std::int64_t> count_at(const Answer* answer, std::size_t column) {
  const auto text = answer != nullptr ? answer->text(0, column) : std::nullopt;
  if (!text) return std::nullopt;
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return out;
}

void add_standbys(const Evidence& evidence, const std::string& names, Seen& seen, Judgement& out) {
  const auto wanted = standbys_wanted(names);
  const auto* answer = evidence.answer(kSynchronous);
  const auto met = count_at(answer, 0);
  const auto hidden = count_at(answer, 1);
  const bool few = met && *met < wanted;
  if (!met || !hidden || (few && *hidden != 0)) {
    seen.unreadable = true;
    out.evidence.emplace_back("could not read which standbys are synchronous");
    return;
  }
  out.evidence.push_back(
      fmt::format("synchronous_standby_names is {}: {} standby{} wanted, {} synchronous", names,
                  wanted, wanted == 1 ? " is" : "s are", *met));
  seen.bad = seen.bad || few;
}

}  // namespace

void Seen::conclude(Judgement& out) const {
  if (bad) {
    out.fail();
  } else if (unreadable) {
    out.inconclusive(Reason::unreadable);
  } else {
    out.settings_only();
  }
}

std::vector<std::string> promise_queries() {
  return {kSession, kSynchronous};
}

std::optional<std::string> standby_names(const Evidence& evidence) {
  const auto* answer = evidence.answer(kSession);
  return answer != nullptr ? answer->text(0, 1) : std::nullopt;
}

void add_promise(const Evidence& evidence, Seen& seen, Judgement& out) {
  const auto* answer = evidence.answer(kSession);
  const auto commit = answer != nullptr ? answer->text(0, 0) : std::nullopt;
  const auto names = standby_names(evidence);
  if (!commit || !names) {
    seen.unreadable = true;
    out.evidence.emplace_back("could not read the settings of a session");
    return;
  }
  const bool waits = *commit == "on" || *commit == "remote_apply";
  seen.bad = seen.bad || *commit == "off" || (!waits && !names->empty());
  auto line = fmt::format("a session of this role has synchronous_commit {}", *commit);
  if (*commit == "local" && !names->empty()) line += ": its commits do not wait for a standby";
  if (*commit == "remote_write" && !names->empty()) {
    line += ": its commits do not wait until a standby has flushed them";
  }
  out.evidence.push_back(std::move(line));
  if (names->empty()) {
    out.evidence.emplace_back(
        "synchronous_standby_names is empty: a failover may lose acknowledged sales");
  } else {
    add_standbys(evidence, *names, seen, out);
  }
}

std::int64_t standbys_wanted(const std::string& names) {
  const auto first = names.find_first_not_of(" \t");
  if (first == std::string::npos) return 0;
  static const std::regex numbered(R"(^\s*(?:first\s+|any\s+)?(\d+)\s*\()", std::regex::icase);
  std::smatch found;
  if (!std::regex_search(names, found, numbered)) return 1;
  std::int64_t out = 1;
  const auto digits = found[1].str();
  std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return out;
}

std::optional<std::string> weakened_commit(const loadgen::Workload& workload) {
  static const std::regex kept(
      R"(synchronous_commit['"]?\s*(=|to|,)\s*['"]?(on|true|yes|1|remote_apply)\b)");
  static const std::regex named("synchronous_commit");
  for (const auto& sql : workload.statements) {
    const auto text = lower_of(sql);
    const auto count = [&](const std::regex& what) {
      return std::distance(std::sregex_iterator(text.begin(), text.end(), what), {});
    };
    if (count(named) > count(kept)) return sql;
  }
  return std::nullopt;
}

}  // namespace pantryd::validate
