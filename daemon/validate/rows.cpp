// Reads counts from the answers; a missing one has a reason and is never zero.
#include "validate/rows.h"

namespace pantryd::validate::rows {

std::optional<std::int64_t> count(const Evidence& evidence, const char* query,
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

}  // namespace pantryd::validate::rows
