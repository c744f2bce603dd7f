// Reads counts from the answers; a missing one has a reason and is never zero.
#include "validate/rows.h"

#include "base/units.h"

namespace pantryd::validate::rows {
namespace {

std::optional<std::int64_t> number_of(const Evidence& evidence, const char* query,
                                      std::string& problem) {
  const auto* answer = evidence.answer(query);
  if (answer == nullptr) {
    problem = "the server was not asked";
    return std::nullopt;
  }
  if (!answer->readable()) {
    problem = answer->problem;
    return std::nullopt;
  }
  const auto number = answer->number();
  if (!number) problem = "the server gave no number";
  return number;
}

}  // namespace

std::string Count::text() const {
  return format_count(number.value_or(0)) + (estimated ? " (estimated)" : "");
}

void add_queries(const loadgen::CountedTable& table, Needs& needs) {
  needs.queries.emplace_back(table.count_sql);
  needs.queries.emplace_back(table.estimate_sql);
}

Count count_of(const Evidence& evidence, const loadgen::CountedTable& table) {
  Count out;
  out.number = number_of(evidence, table.count_sql, out.problem);
  if (out.number) return out;
  std::string no_estimate;
  out.number = number_of(evidence, table.estimate_sql, no_estimate);
  out.estimated = out.number.has_value();
  return out;
}

}  // namespace pantryd::validate::rows
