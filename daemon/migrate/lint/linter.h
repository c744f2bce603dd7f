// What in a migration would hurt a database that people are using: a lock that stops the shop, a
// scan or rewrite under such a lock, a statement that fails on live data, and what cannot be taken
// back. Judged on PostgreSQL's own parse tree, so comments, dollar quotes and BEGIN ATOMIC bodies
// are never mistaken for statements. Source of the lock modes: PostgreSQL manual, "Explicit
// Locking" and ALTER TABLE.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "migrate/files/header.h"

namespace pantryd::migrate {

/// danger: do not run it like this. advice: it works, but there is a better way.
enum class Severity { advice, danger };
[[nodiscard]] std::string_view to_string(Severity severity);

struct LintRule {
  const char* name;
  Severity severity;
  bool by_size;         ///< harmless on a small table
  const char* summary;  ///< what it finds
};

/// Every rule, sorted by name.
[[nodiscard]] std::span<const LintRule> lint_rules();
/// nullptr when there is no such rule.
[[nodiscard]] const LintRule* find_lint_rule(std::string_view name);

struct Finding {
  std::string rule;
  Severity severity = Severity::danger;
  int line = 1;           ///< from 1, in the text that was given
  int column = 1;         ///< from 1, in characters, not bytes
  std::string statement;  ///< one line, at most 120 characters; passwords are masked
  std::string why;        ///< one sentence
  std::string rewrite;    ///< the safe way as SQL, lines separated by \n; may be empty
};

/// What a live table weighs. A table up to kSmallTableRows and kSmallTableBytes is small.
struct TableSize {
  std::int64_t rows = 0;
  std::int64_t bytes = 0;   ///< with indexes and TOAST
  std::int64_t writes = 0;  ///< inserts, updates and deletes since statistics were reset
};
inline constexpr std::int64_t kSmallTableRows = 1'000;
inline constexpr std::int64_t kSmallTableBytes = 1 << 20;

struct LintInput {
  std::string_view sql;        ///< the up section, every line where it stands in the file
  bool in_transaction = true;  ///< false: the file has the option no-transaction
  int target_major = 14;       ///< the oldest server that it must run on
  /// Live tables by name, with the schema in front when it is not public. Empty: not known.
  std::map<std::string, TableSize> sizes;
  std::vector<Allowance> allows;
};

/// What earlier files taught: the types of columns, checks that are valid. Files are shown to one
/// Linter in the order in which they run, and it judges each by what it has seen so far.
class Linter {
 public:
  Linter();
  Linter(const Linter&) = delete;
  Linter& operator=(const Linter&) = delete;
  ~Linter();

  /// The findings of one file, by place. Never throws for bad SQL: what the parser refuses is
  /// itself a finding. A rule in `allows` is left out; one that silences nothing is a finding.
  [[nodiscard]] std::vector<Finding> lint(const LintInput& input);

 private:
  struct Knowledge;
  friend class LintWalk;
  std::unique_ptr<Knowledge> knowledge_;
};

/// One file that stands alone.
[[nodiscard]] std::vector<Finding> lint(const LintInput& input);

/// The tables that a text mentions, to ask a live server about.
[[nodiscard]] std::vector<std::string> tables_mentioned(std::string_view sql);

}  // namespace pantryd::migrate
