// Nothing here is looked up by a search_path: names have schemas, operators too.
#include "pg/plain_table.h"

#include <fmt/format.h>

#include <set>

#include "base/assert.h"
#include "pg/identifier.h"

namespace pantryd::pg {
namespace {

constexpr const char* kColumns =
    "SELECT a.attname FROM pg_catalog.pg_attribute a "
    "JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid "
    "JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace "
    "WHERE n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name "
    "AND c.relname OPERATOR(pg_catalog.=) $2::pg_catalog.name "
    "AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped";

}  // namespace

std::optional<std::vector<CopiedRow>> read_plain_table(Connection& connection,
                                                       const std::string& schema,
                                                       const std::string& table,
                                                       const std::vector<std::string>& columns,
                                                       std::size_t rows_max, Deadline deadline) {
  const auto found = connection.exec_cached(kColumns, Params::of(schema, table), deadline);
  std::set<std::string, std::less<>> there;
  for (int i = 0; i < found.rows(); ++i) there.emplace(found.text(i, 0));
  std::string list;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (there.count(columns[i]) == 0) continue;
    list += (list.empty() ? "" : ", ") + quote_identifier(columns[i]);
    places.push_back(i);
  }
  if (places.empty()) return std::nullopt;
  const auto rows =
      connection.copy_out(fmt::format("COPY {}.{} ({}) TO STDOUT", quote_identifier(schema),
                                      quote_identifier(table), list),
                          rows_max, deadline);
  std::vector<CopiedRow> out;
  for (const auto& row : rows) {
    PANTRYD_ASSERT(row.size() == places.size());
    CopiedRow whole(columns.size());
    for (std::size_t i = 0; i < places.size(); ++i) whole[places[i]] = row[i];
    out.push_back(std::move(whole));
  }
  return out;
}

}  // namespace pantryd::pg
