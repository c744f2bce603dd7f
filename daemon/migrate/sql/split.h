// A section into its statements, by PostgreSQL's own parser (libpg_query): dollar quotes, nested
// comments, BEGIN ATOMIC and E-strings are its business, not ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::migrate {

/// What the runner must know of a statement beyond its text.
enum class StatementKind {
  plain,
  setting,  ///< SET, RESET: gone with the session, so a resumed run says it again
  create_index,
  create_index_concurrently,
  drop_index_concurrently,
  reindex_concurrently,
  detach_concurrently,  ///< ALTER TABLE ... DETACH PARTITION ... CONCURRENTLY
  transaction_control,  ///< BEGIN, COMMIT, SAVEPOINT, ...: the runner's business
  copy_from_stdin,
};

/// What a REINDEX names.
enum class ReindexOf { nothing, index, table, schema, database };

struct SqlStatement {
  std::string sql;  ///< from its first word to before its semicolon
  int line = 0;     ///< of its first word, from 1
  StatementKind kind = StatementKind::plain;
  // Of the index kinds only:
  std::string index_schema;  ///< empty: not written; of REINDEX SCHEMA the schema itself
  std::string index;         ///< empty: the server would choose a name
  std::string table;         ///< of CREATE INDEX and REINDEX TABLE
  bool if_not_exists = false;
  ReindexOf reindex = ReindexOf::nothing;  ///< of REINDEX ... CONCURRENTLY
};

struct SplitError {
  enum class Reason { syntax, meta_command, copy_data };
  Reason reason = Reason::syntax;
  int line = 0;
  std::string message;
};

struct Split {
  std::vector<SqlStatement> statements;  ///< empty when there is an error
  std::optional<SplitError> error;
};

[[nodiscard]] Split split(const std::string& sql);

/// True for kinds that run outside of a transaction and wait for other transactions to end.
[[nodiscard]] bool is_concurrent(StatementKind kind);

}  // namespace pantryd::migrate
