// Private to lint: what is known while the statements of one file are gone through in order, and
// the rules, a function a family. A rule reads the statement, reports, and never throws.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "migrate/lint/linter.h"
#include "migrate/sql/parse_tree.h"

namespace pantryd::migrate {

struct CheckFacts {
  std::set<std::string> not_null;  ///< columns that it proves to be not null
  bool is_check = false;
  bool validated = false;
};

struct TableFacts {
  std::map<std::string, ColumnType> columns;
  std::map<std::string, CheckFacts> constraints;
  bool partitioned = false;
};

struct Linter::Knowledge {
  std::map<std::string, TableFacts> tables;
};

/// What the open transaction has done so far to tables that were there before the file.
struct TransactionFacts {
  std::set<std::string> locked;        ///< against readers or writers, until it ends
  std::set<std::string> bulk_changed;  ///< by UPDATE, DELETE, INSERT ... SELECT
  std::set<std::string> added_not_valid;
  std::set<std::string> enum_values;  ///< added to a type that was there before
  std::set<std::string> new_types;
};

/// A finding before its place becomes line and column.
struct Report {
  const char* rule;
  std::string why;
  std::string rewrite;
  std::string table;       ///< key of the table it is about; empty: its size does not matter
  std::size_t at = kHere;  ///< bytes; kHere: where the statement begins
  static constexpr std::size_t kHere = static_cast<std::size_t>(-1);
};

class LintWalk {
 public:
  LintWalk(const LintInput& input, Linter::Knowledge& knowledge);
  [[nodiscard]] std::vector<Finding> run();

  void report(Report report);

  /// "t" or "s.t": how tables are known here. public is left out.
  [[nodiscard]] static std::string key(const Json& range_var);
  [[nodiscard]] static std::string key(const std::vector<std::string>& names);
  /// The same as SQL, quoted where it has to be.
  [[nodiscard]] static std::string sql_name(const Json& range_var);
  [[nodiscard]] static std::string sql_name(const std::vector<std::string>& names);
  /// Made by this file, so nobody else is using it.
  [[nodiscard]] bool is_new(const std::string& table) const { return new_tables_.count(table) > 0; }
  /// The statement's own text, and a part of it. Locations are those of the tree.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::size_t place_of(const Json& node) const;
  [[nodiscard]] std::string clause(const Json& node) const;
  [[nodiscard]] std::string type_text(const Json& column_def) const;
  /// The statement with `words` put behind its first key word `after`.
  [[nodiscard]] std::string with_words(std::string_view after, const std::string& words) const;
  /// The SQL under a line that says it needs a file without a transaction.
  [[nodiscard]] std::string alone(const std::string& sql) const;
  [[nodiscard]] static std::string later(const std::string& sql);
  /// Notes that the open transaction now holds a strong lock on a table.
  void mark_locked(const std::string& table);
  TableFacts& facts(const std::string& table) { return knowledge_.tables[table]; }
  [[nodiscard]] const TableFacts* known(const std::string& table) const;

  const LintInput& input;
  SqlText sql;
  const Statement* current = nullptr;
  bool in_transaction;
  bool explicit_transaction = false;  ///< opened by BEGIN in the file
  TransactionFacts transaction;
  std::set<std::string> new_tables_;
  std::set<std::string> new_indexes;

 private:
  void judge(const Statement& statement);
  void judge_names();
  void apply_size(const LintRule& rule, const Report& report, Finding& finding) const;
  void report_unused_allows();

  Linter::Knowledge& knowledge_;
  std::vector<Finding> findings_;
  std::set<std::string> used_allows_;
};

/// Each looks at every statement and reports what is its business.
void judge_indexes(LintWalk& walk);      // lint/rules/index.cpp
void judge_columns(LintWalk& walk);      // lint/rules/column.cpp
void judge_constraints(LintWalk& walk);  // lint/rules/constraint.cpp
void judge_tables(LintWalk& walk);       // lint/rules/table.cpp
void judge_drops(LintWalk& walk);        // lint/rules/drop.cpp
void judge_data(LintWalk& walk);         // lint/rules/data.cpp
void judge_session(LintWalk& walk);      // lint/rules/session.cpp
void judge_security(LintWalk& walk);     // lint/rules/security.cpp
void judge_style(LintWalk& walk);        // lint/rules/style.cpp
void learn(LintWalk& walk);              // lint/learn.cpp: what the statement makes; runs last

/// The columns that an expression proves to be not null: "a IS NOT NULL AND b IS NOT NULL".
[[nodiscard]] std::set<std::string> columns_not_null(const Json& expression);
/// Calls `seen(subtype, command)` for each command of ALTER TABLE.
void each_command(const Json& alter_table,
                  const std::function<void(const std::string&, const Json&)>& seen);
[[nodiscard]] std::string column_list(const std::vector<std::string>& names);  ///< "a, b" as SQL
[[nodiscard]] std::string joined(const std::vector<std::string>& names);       ///< "a_b"

}  // namespace pantryd::migrate
