// Invariants: used_ is ordered by last use, newest first; by_text_ has each of its statements once
// and its keys point into them; no two statements of used_ and evicted_ have the same name;
// used_.size() <= statements_max_, evicted_.size() <= evicted_max_.
#include "pg/prepared_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/assert.h"

namespace pantryd::pg {
namespace {

// FNV-1a, and a second hash of another kind, so that what collides in one does not in the other.
constexpr std::uint64_t kFnvBasis = 0xCBF29CE484222325ULL;
constexpr std::uint64_t kFnvPrime = 0x100000001B3ULL;
constexpr std::uint64_t kOtherBasis = 0x9E3779B97F4A7C15ULL;
constexpr std::uint64_t kOtherPrime = 0xFF51AFD7ED558CCDULL;

}  // namespace

std::string statement_name(std::string_view text) {
  std::uint64_t first = kFnvBasis;
  std::uint64_t second = kOtherBasis;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    first = (first ^ byte) * kFnvPrime;
    second = (second + byte) * kOtherPrime;
    second ^= second >> 29U;
  }
  return fmt::format("pantryd_{:016x}{:016x}", first, second);
}

PreparedCache::PreparedCache(std::size_t statements_max, std::size_t evicted_max, Namer namer)
    : statements_max_(std::max<std::size_t>(1, statements_max)),
      evicted_max_(evicted_max),
      namer_(namer) {}

PreparedCache::Statement PreparedCache::use(const std::string& text) {
  if (const auto found = by_text_.find(text); found != by_text_.end()) {
    used_.splice(used_.begin(), used_, found->second);
    return used_.front();
  }
  const auto name = namer_(text);
  bool clash = false;
  auto statement = take_back(text, name, clash);
  if (clash) return nullptr;
  if (!statement) {
    statement = std::make_shared<CachedStatement>(
        CachedStatement{text, name, mark_of_text(text), CachedStatement::State::absent});
  }
  if (!make_room()) return nullptr;
  used_.push_front(statement);
  by_text_[statement->text] = used_.begin();
  PANTRYD_ASSERT(used_.size() == by_text_.size() && used_.size() <= statements_max_);
  PANTRYD_ASSERT(evicted_.size() <= evicted_max_);
  PANTRYD_ASSERT_DEBUG(names_differ());
  return statement;
}

/// Also that each key of by_text_ is the text of the statement that it leads to.
bool PreparedCache::names_differ() const {
  std::set<std::string_view> names;
  for (const auto& each : used_) {
    const auto found = by_text_.find(each->text);
    if (found == by_text_.end() || *found->second != each) return false;
    if (found->first.data() != each->text.data()) return false;
    if (!names.insert(each->name).second) return false;
  }
  return std::all_of(evicted_.begin(), evicted_.end(),
                     [&](const auto& each) { return names.insert(each->name).second; });
}

PreparedCache::Statement PreparedCache::take_back(const std::string& text, const std::string& name,
                                                  bool& clash) {
  const auto named = [&](const Statement& each) { return each->name == name; };
  clash = std::any_of(used_.begin(), used_.end(), named);
  const auto found = std::find_if(evicted_.begin(), evicted_.end(), named);
  if (clash || found == evicted_.end()) return nullptr;
  clash = (*found)->text != text;
  if (clash) return nullptr;
  auto statement = *found;
  evicted_.erase(found);
  return statement;
}

bool PreparedCache::make_room() {
  if (used_.size() < statements_max_) return true;
  const auto& oldest = used_.back();
  if (oldest->state != CachedStatement::State::absent) {
    if (evicted_.size() >= evicted_max_) return false;
    evicted_.push_back(oldest);
  }
  by_text_.erase(oldest->text);
  used_.pop_back();
  return true;
}

void PreparedCache::drop(const Statement& statement) {
  statement->state = CachedStatement::State::absent;
  const auto found = by_text_.find(statement->text);
  if (found == by_text_.end() || *found->second != statement) return;
  const auto place = found->second;
  by_text_.erase(found);
  used_.erase(place);
}

void PreparedCache::forget_all() {
  for (const auto& each : used_) each->state = CachedStatement::State::absent;
  by_text_.clear();
  used_.clear();
  evicted_.clear();
}

void PreparedCache::doubt_all() {
  for (auto* list : {&used_, &evicted_}) {
    for (const auto& each : *list) {
      if (each->state == CachedStatement::State::known) {
        each->state = CachedStatement::State::doubtful;
      }
    }
  }
}

std::vector<std::string> PreparedCache::take_evicted(std::size_t count) {
  std::vector<std::string> names;
  while (names.size() < count && !evicted_.empty()) {
    names.push_back(evicted_.front()->name);
    evicted_.pop_front();
  }
  return names;
}

}  // namespace pantryd::pg
