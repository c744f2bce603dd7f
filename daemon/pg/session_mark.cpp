// Both are on the way of every statement: one pass, no allocation.
#include "pg/session_mark.h"

#include <algorithm>
#include <array>

namespace pantryd::pg {
namespace {

// The frequent ones first. RESET, UNLISTEN, CLOSE, DEALLOCATE and DISCARD leave no more behind than
// there was.
constexpr std::array<std::string_view, 37> kCleanTags{"SELECT",
                                                      "INSERT",
                                                      "UPDATE",
                                                      "DELETE",
                                                      "BEGIN",
                                                      "COMMIT",
                                                      "ROLLBACK",
                                                      "MERGE",
                                                      "COPY",
                                                      "FETCH",
                                                      "MOVE",
                                                      "SHOW",
                                                      "EXPLAIN",
                                                      "START TRANSACTION",
                                                      "SAVEPOINT",
                                                      "RELEASE",
                                                      "LOCK TABLE",
                                                      "TRUNCATE TABLE",
                                                      "VALUES",
                                                      "VACUUM",
                                                      "ANALYZE",
                                                      "NOTIFY",
                                                      "REINDEX",
                                                      "CLUSTER",
                                                      "CHECKPOINT",
                                                      "REFRESH MATERIALIZED VIEW",
                                                      "SET CONSTRAINTS",
                                                      "RESET",
                                                      "UNLISTEN",
                                                      "CLOSE CURSOR",
                                                      "CLOSE CURSOR ALL",
                                                      "DEALLOCATE",
                                                      "DEALLOCATE ALL",
                                                      "DISCARD ALL",
                                                      "DISCARD PLANS",
                                                      "DISCARD TEMP",
                                                      "DISCARD SEQUENCES"};

constexpr std::size_t kWordMin = 4;

constexpr bool is_word_char(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c >= 0x80;
}

constexpr std::array<bool, 256> kWordChars = [] {
  std::array<bool, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    table[i] = is_word_char(static_cast<unsigned char>(i));
  }
  return table;
}();

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// `wanted` is lower case.
bool same(std::string_view word, std::string_view wanted) {
  return word.size() == wanted.size() && std::equal(word.begin(), word.end(), wanted.begin(),
                                                    [](char a, char b) { return lower(a) == b; });
}

bool begins(std::string_view word, std::string_view wanted) {
  return word.size() >= wanted.size() && same(word.substr(0, wanted.size()), wanted);
}

bool holds(std::string_view word, std::string_view wanted) {
  return std::search(word.begin(), word.end(), wanted.begin(), wanted.end(),
                     [](char a, char b) { return lower(a) == b; }) != word.end();
}

/// "INSERT 0 5" and "SELECT 5" without their numbers.
std::string_view without_counts(std::string_view tag) {
  while (!tag.empty() && (tag.back() == ' ' || (tag.back() >= '0' && tag.back() <= '9'))) {
    tag.remove_suffix(1);
  }
  return tag;
}

Mark mark_of_pg_word(std::string_view word) {
  constexpr std::string_view kAdvisory = "advisory_lock";
  if (same(word, "pg_temp") || begins(word, "pg_temp_")) return Mark::changed;
  if (holds(word, kAdvisory)) return Mark::changed;
  if (begins(word, "pg_create_") || begins(word, "pg_copy_")) {
    return holds(word, "replication_slot") ? Mark::lasting : Mark::clean;
  }
  const bool lasts = same(word, "pg_backup_start") || same(word, "pg_start_backup") ||
                     same(word, "pg_replication_origin_session_setup");
  return lasts ? Mark::lasting : Mark::clean;
}

Mark mark_of_word(std::string_view word) {
  switch (lower(word.front())) {
    case 's':
      if (same(word, "setseed")) return Mark::lasting;
      // set_limit() of pg_trgm is a setting in disguise.
      return same(word, "set_config") || same(word, "set_limit") ? Mark::changed : Mark::clean;
    case 't':
      return same(word, "temp") || same(word, "temporary") ? Mark::changed : Mark::clean;
    case 'p':
      return mark_of_pg_word(word);
    case 'd':
      return begins(word, "dblink_connect") ? Mark::lasting : Mark::clean;
    default:
      return Mark::clean;
  }
}

}  // namespace

Mark mark_of_tag(std::string_view tag) {
  const auto command = without_counts(tag);
  if (command.empty()) return Mark::clean;
  if (std::find(kCleanTags.begin(), kCleanTags.end(), command) != kCleanTags.end()) {
    return Mark::clean;
  }
  return command == "LOAD" ? Mark::lasting : Mark::changed;
}

Mark mark_of_text(std::string_view sql) {
  Mark mark = Mark::clean;
  bool first = true;
  bool updates = false;
  bool settings = false;
  for (const char *at = sql.data(), *const end = at + sql.size(); at != end;) {
    if (!kWordChars[static_cast<unsigned char>(*at)]) {
      ++at;
      continue;
    }
    const char* const begin = at;
    do ++at;
    while (at != end && kWordChars[static_cast<unsigned char>(*at)]);
    const std::string_view word(begin, static_cast<std::size_t>(at - begin));
    if (first && (same(word, "call") || same(word, "do"))) mark = std::max(mark, Mark::changed);
    first = false;
    if (word.size() < kWordMin) continue;
    mark = std::max(mark, mark_of_word(word));
    updates = updates || same(word, "update");
    settings = settings || same(word, "pg_settings");
  }
  return updates && settings ? std::max(mark, Mark::changed) : mark;
}

PreparedEffect prepared_effect_of_tag(std::string_view tag) {
  if (tag.size() < 7 || (tag[0] != 'P' && tag[0] != 'D')) return PreparedEffect::none;
  if (tag == "PREPARE") return PreparedEffect::one_made;
  if (tag == "DEALLOCATE") return PreparedEffect::one_dropped;
  if (tag == "DEALLOCATE ALL" || tag == "DISCARD ALL") return PreparedEffect::all_dropped;
  return PreparedEffect::none;
}

}  // namespace pantryd::pg
