// How the databases of one target share its bound on relations (relations_max): each gets what it
// needs while all needs fit; then those that need much get the same, and those that need less keep
// what they need. Not thread-safe: it belongs to the thread that goes from database to database.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace pantryd::probes {

/// The largest limit at which the sum of min(need, limit) is at most `most`; `most` itself where
/// the needs fit. At least 10: no database is left without a series.
[[nodiscard]] std::int32_t fair_limit(std::vector<std::int64_t> needs, std::int32_t most);

class RelationShare {
 public:
  /// Forgets the databases that are not in the list.
  void keep(const std::vector<std::string>& databases);
  /// False: nothing is known of what this database needs.
  [[nodiscard]] bool knows(const std::string& database) const {
    return expected_.count(database) > 0;
  }
  /// What is taken for its need until a query has looked.
  void expect(const std::string& database, std::int64_t relations) {
    expected_[database] = relations;
  }
  /// This query found `need` relations in this database: how many of them get series of their own
  /// when all databases together get `most`.
  [[nodiscard]] std::int32_t limit(const std::string& query, const std::string& database,
                                   std::int64_t need, std::int32_t most);

 private:
  std::map<std::string, std::int64_t> expected_;                      ///< by database
  std::map<std::string, std::map<std::string, std::int64_t>> needs_;  ///< by query, by database
};

}  // namespace pantryd::probes
