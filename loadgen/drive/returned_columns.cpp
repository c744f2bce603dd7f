// A statement is described once, however many steps it has.
#include "loadgen/drive/returned_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kColumnsShown = 50;

[[noreturn]] void refuse(const std::string& place, const Operation& operation, const Step& step,
                         const std::string& what, std::string hint) {
  throw Error(ExitCode::failed,
              fmt::format("{}: step {} of the operation \"{}\" (prepared as {}) {}", place,
                          step.number, operation.name, statement_name(step.statement), what),
              std::move(hint));
}

std::string list_of_names(const std::vector<std::string>& columns) {
  const auto shown = std::min(columns.size(), kColumnsShown);
  const auto end = columns.begin() + static_cast<std::ptrdiff_t>(shown);
  return fmt::format("{}{}", fmt::join(columns.begin(), end, ", "),
                     shown < columns.size() ? ", ..." : "");
}

std::vector<std::string> columns_of(pg::Connection& connection, int statement, Deadline deadline) {
  const auto described = connection.describe_prepared(statement_name(statement), deadline);
  std::vector<std::string> out;
  out.reserve(static_cast<std::size_t>(described.columns()));
  for (int i = 0; i < described.columns(); ++i) out.push_back(described.column_name(i));
  return out;
}

}  // namespace

void check_step(const Operation& operation, const Step& step,
                const std::vector<std::string>& columns) {
  for (const auto& capture : step.captures) {
    const auto found = std::count(columns.begin(), columns.end(), capture.column);
    if (found == 1) continue;
    if (columns.empty()) {
      refuse(capture.place, operation, step,
             fmt::format("returns no rows, so there is no column \"{}\"", capture.column),
             "Add RETURNING to the statement, or leave the capture out.");
    }
    if (found > 1) {
      refuse(capture.place, operation, step,
             fmt::format("returns {} columns \"{}\"", found, capture.column),
             fmt::format("Name the one that is meant with AS. The statement returns: {}.",
                         list_of_names(columns)));
    }
    refuse(capture.place, operation, step, fmt::format("returns no column \"{}\"", capture.column),
           fmt::format("The statement returns: {}.", list_of_names(columns)));
  }
  if (step.expect_rows && columns.empty() && !counts_rows(step.sql)) {
    refuse(step.expect_place, operation, step, "neither returns nor changes rows",
           "Leave expect_rows out.");
  }
}

void check_columns(pg::Connection& connection, const Workload& workload, Deadline deadline) {
  std::map<int, std::vector<std::string>> known;
  for (const auto& operation : workload.operations) {
    for (const auto& step : operation.steps) {
      if (step.captures.empty() && !step.expect_rows) continue;
      const auto [found, added] = known.try_emplace(step.statement);
      if (added) found->second = columns_of(connection, step.statement, deadline);
      check_step(operation, step, found->second);
    }
  }
}

}  // namespace pantryd::loadgen
