// Private to plan: what a statement would do, read off its parse tree: the locks that the manual
// documents, how much work it is, and whether it may be tried at all.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "migrate/lint/linter.h"
#include "migrate/sql/lock_mode.h"
#include "migrate/sql/parse_tree.h"

namespace pantryd::migrate {

struct NamedLock {
  std::string schema;  ///< empty: by the search path
  std::string name;
  LockMode mode = LockMode::access_share;
  /// Set when the name is that of an index: the lock that its table gets.
  std::optional<LockMode> table_mode = std::nullopt;
  [[nodiscard]] std::string sql() const;  ///< quoted, for to_regclass()
};

/// In the order of what they cost.
enum class Work { none, reads, changes_rows, rewrites };
[[nodiscard]] std::string_view to_string(Work work);  ///< "would rewrite"

struct Reach {
  std::vector<NamedLock> locks;  ///< one a relation, the strongest
  Work work = Work::none;
  std::string unfit;            ///< why it is never tried; empty: it may be
  bool outside = false;         ///< the server refuses it in a transaction
  bool harmless = false;        ///< with `unfit`: nothing later can depend on it
  bool inserts = false;         ///< defaults are computed
  std::vector<NamedLock> rows;  ///< tables whose rows change, so that triggers fire
  std::vector<std::vector<std::string>> functions;  ///< names of those it calls itself

  void lock(const Json& range_var, LockMode mode);
  void lock(const std::vector<std::string>& names, LockMode mode,
            std::optional<LockMode> table_mode = std::nullopt);
  void work_at_least(Work more);
};

/// Source of the modes: PostgreSQL manual, "Explicit Locking" and the pages of the commands.
[[nodiscard]] Reach reach_of(const std::string& sql);

/// What the linter knows of a statement's work that its tree alone does not tell.
[[nodiscard]] Work work_of(const std::vector<Finding>& findings);

/// Private to reach_of(): ALTER TABLE and its kin, and CREATE TABLE.
void reach_alter_table(const Json& body, Reach& out);
void reach_create_table(const Json& body, Reach& out);
void reach_functions(const Json& node, Reach& out);

}  // namespace pantryd::migrate
