// Frees what libpg_query allocates on every path; its structs do not leave this file.
#include "migrate/sql/parser.h"

#include <pg_query.h>

#include <memory>

namespace pantryd::migrate {
namespace {

template <typename Result, void (*release)(Result)>
struct Release {
  void operator()(Result* result) const {
    release(*result);
    delete result;
  }
};
using ParseResult =
    std::unique_ptr<PgQueryParseResult, Release<PgQueryParseResult, pg_query_free_parse_result>>;
using SplitResult =
    std::unique_ptr<PgQuerySplitResult, Release<PgQuerySplitResult, pg_query_free_split_result>>;

/// The parser's cursor counts characters from 1.
std::size_t byte_of(const std::string& sql, int cursor) {
  std::size_t at = 0;
  for (int left = cursor - 1; at < sql.size(); ++at) {
    if ((static_cast<unsigned char>(sql[at]) & 0xC0U) == 0x80U) continue;
    if (left-- <= 0) break;
  }
  return at;
}

ParserError error_of(const std::string& sql, const PgQueryError& error) {
  return {error.message != nullptr ? error.message : "it does not parse",
          byte_of(sql, error.cursorpos)};
}

}  // namespace

Parsed parse_sql(const std::string& sql) {
  Parsed out;
  const ParseResult result(new PgQueryParseResult(pg_query_parse(sql.c_str())));
  if (result->error != nullptr) {
    out.error = error_of(sql, *result->error);
    return out;
  }
  auto tree = Json::parse(result->parse_tree, nullptr, false);
  if (tree.is_object()) {
    out.tree = std::move(tree);
  } else {
    out.error.message = "the parser's answer cannot be read";
  }
  return out;
}

Extents find_statements(const std::string& sql) {
  Extents out;
  const SplitResult result(new PgQuerySplitResult(pg_query_split_with_parser(sql.c_str())));
  if (result->error != nullptr) {
    out.error = error_of(sql, *result->error);
    return out;
  }
  for (int i = 0; i < result->n_stmts; ++i) {
    const auto* piece = result->stmts[i];
    const auto begin = static_cast<std::size_t>(piece->stmt_location);
    const auto length = static_cast<std::size_t>(piece->stmt_len);
    out.statements.push_back({begin, length > 0 ? begin + length : sql.size()});
  }
  return out;
}

int parser_major() {
  return PG_VERSION_NUM / 10000;
}

}  // namespace pantryd::migrate
