// What a statement does to transactions and whether it counts rows, by its first words. No
// statement of another kind begins with them, so no parser is needed.
#pragma once

#include <cstddef>
#include <string>

namespace pantryd::loadgen {

enum class StatementKind {
  plain,   ///< commits nothing: a failure rolls back all that it did
  begins,  ///< BEGIN, START TRANSACTION
  ends,    ///< COMMIT, END, ROLLBACK, ABORT, PREPARE TRANSACTION; not ROLLBACK TO
  opaque,  ///< may commit a part of its work when no transaction is open: CALL, DO, VACUUM, ...
};

[[nodiscard]] StatementKind statement_kind(const std::string& sql);

/// True when the server says how many rows the statement returned or touched.
[[nodiscard]] bool counts_rows(const std::string& sql);

/// How many parameters a statement takes: the highest N of its $N.
[[nodiscard]] std::size_t placeholders(const std::string& sql);

}  // namespace pantryd::loadgen
