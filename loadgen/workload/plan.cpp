// A workload's own questions, and the workloads that are cut out of another one.
#include "loadgen/workload/plan.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"

namespace pantryd::loadgen {
namespace {

constexpr const char* kDefaultName = "grocery";

/// Drops the statements that no operation uses, and numbers the others again.
void keep_used_statements(Workload& workload) {
  PANTRYD_ASSERT(workload.statements.size() == workload.statement_lines.size());
  std::vector<std::string> statements;
  std::vector<int> lines;
  std::vector<int> moved(workload.statements.size(), -1);
  for (auto& operation : workload.operations) {
    for (auto& step : operation.steps) {
      const auto at = static_cast<std::size_t>(step.statement);
      if (moved[at] < 0) {
        moved[at] = static_cast<int>(statements.size());
        statements.push_back(workload.statements[at]);
        lines.push_back(workload.statement_lines[at]);
      }
      step.statement = moved[at];
    }
  }
  workload.statements = std::move(statements);
  workload.statement_lines = std::move(lines);
}

}  // namespace

Workload load_workload(const std::string& name) {
  const auto built_in = fmt::format("workloads/{}.yaml", name.empty() ? kDefaultName : name);
  for (const auto& file : embedded::config()) {
    if (file.name == built_in) return parse_workload(std::string(file.content), built_in);
  }
  return parse_workload(read_file(name), name);
}

std::string statement_name(int statement) {
  return fmt::format("pantryd_load_{}", statement);
}

bool Generator::needs_dataset() const {
  switch (kind) {
    case Generator::Kind::product_id:
    case Generator::Kind::product_ids:
    case Generator::Kind::barcode:
    case Generator::Kind::customer_phone:
    case Generator::Kind::customer_name:
    case Generator::Kind::user_id:
    case Generator::Kind::sale_id:
    case Generator::Kind::debt_id:
    case Generator::Kind::days_ago:
      return true;
    default:
      return false;
  }
}

bool Workload::needs_dataset() const {
  for (const auto& operation : operations) {
    for (const auto& variable : operation.variables) {
      if (variable.generator && variable.generator->needs_dataset()) return true;
    }
  }
  return false;
}

Workload Workload::only(const std::string& operation) const {
  std::vector<std::string> names;
  for (const auto& each : operations) {
    if (each.name == operation) {
      Workload out = *this;
      out.operations = {each};
      out.operations[0].weight = 1;  // 0 switches it off among others only
      keep_used_statements(out);
      return out;
    }
    names.push_back(each.name);
  }
  throw Error(ExitCode::usage, fmt::format("the workload has no operation \"{}\"", operation),
              fmt::format("It has: {}.", fmt::join(names, ", ")));
}

Workload Workload::without_idle() const {
  Workload out = *this;
  std::erase_if(out.operations, [](const Operation& each) { return !(each.weight > 0); });
  keep_used_statements(out);
  return out;
}

}  // namespace pantryd::loadgen
