// Invariant: needs_ holds databases of expected_ alone.
#include "probes/engine/relation_share.h"

#include <algorithm>
#include <set>

namespace pantryd::probes {
namespace {

constexpr std::int64_t kLeast = 10;

}  // namespace

std::int32_t fair_limit(std::vector<std::int64_t> needs, std::int32_t most) {
  std::sort(needs.begin(), needs.end());
  std::int64_t left = most;
  for (std::size_t i = 0; i < needs.size(); ++i) {
    const auto share = left / static_cast<std::int64_t>(needs.size() - i);
    if (needs[i] > share) return static_cast<std::int32_t>(std::max(share, kLeast));
    left -= needs[i];
  }
  return most;
}

void RelationShare::keep(const std::vector<std::string>& databases) {
  const std::set<std::string> wanted(databases.begin(), databases.end());
  const auto forget = [&](auto& by_database) {
    for (auto each = by_database.begin(); each != by_database.end();) {
      each = wanted.count(each->first) > 0 ? std::next(each) : by_database.erase(each);
    }
  };
  forget(expected_);
  for (auto& [query, needs] : needs_) forget(needs);
}

std::int32_t RelationShare::limit(const std::string& query, const std::string& database,
                                  std::int64_t need, std::int32_t most) {
  auto& known = needs_[query];
  known[database] = need;
  expected_.emplace(database, need);
  std::vector<std::int64_t> needs;
  needs.reserve(expected_.size());
  for (const auto& [name, expected] : expected_) {
    const auto found = known.find(name);
    needs.push_back(found == known.end() ? expected : found->second);
  }
  return fair_limit(std::move(needs), most);
}

}  // namespace pantryd::probes
