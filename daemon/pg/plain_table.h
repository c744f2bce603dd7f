// Tables of others, read by a role that has more rights than they have.
//
// A SELECT on a table runs functions that its owner chose, as the role that selects: while it is
// planned those of indexes and statistics on expressions, then casts of the columns' types, row
// policies, and all that a view holds. COPY of a table plans nothing and only writes the columns
// out, which for every type that is no superuser's is code of the server.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/connection.h"

namespace pantryd::pg {

/// The rows in no order, with a field for each of `columns`, in which a column that the table lacks
/// is nullopt. No such table, or none of the columns: nullopt. Throws PgError, also of a statement:
/// what is there is no ordinary table (42809), has row policies (42501, with row_security off), or
/// has more rows than rows_max (54000).
[[nodiscard]] std::optional<std::vector<CopiedRow>> read_plain_table(
    Connection& connection, const std::string& schema, const std::string& table,
    const std::vector<std::string>& columns, std::size_t rows_max, Deadline deadline);

}  // namespace pantryd::pg
