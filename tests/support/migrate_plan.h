// For the tests of plans.
#pragma once

#include <string>

#include "migrate/plan/plan.h"
#include "tests/support/migrate_database.h"

namespace pantryd::testing_support {

/// A database of its own with what `script` makes.
inline pg::Conninfo database_with(const std::string& name, const std::string& script) {
  const auto where = fresh_database(name);
  connect(where).exec_script(script, soon());
  return where;
}

/// Limits that a busy machine does not reach: it shall not decide what these tests find.
inline migrate::PlanOptions calm() {
  migrate::PlanOptions options;
  options.statement_timeout = std::chrono::milliseconds(20'000);
  options.hold_budget = std::chrono::milliseconds(60'000);
  return options;
}

}  // namespace pantryd::testing_support
