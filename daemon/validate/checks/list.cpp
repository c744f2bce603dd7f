// The table of checks: one row a check, by the name of the function NAME_check() of its file.
#include <algorithm>
#include <array>

#include "validate/check.h"

#define PANTRYD_CHECKS(ROW) \
  ROW(throughput)           \
  ROW(users)                \
  ROW(latency)              \
  ROW(backups)              \
  ROW(replication)          \
  ROW(archive)              \
  ROW(durability)           \
  ROW(scale)

namespace pantryd::validate {

#define PANTRYD_DECLARE(name) const Check* name##_check();
PANTRYD_CHECKS(PANTRYD_DECLARE)
#undef PANTRYD_DECLARE

std::span<const Check* const> checks() {
#define PANTRYD_CALL(name) name##_check(),
  static const std::array table{PANTRYD_CHECKS(PANTRYD_CALL)};
#undef PANTRYD_CALL
  return table;
}

const Check* find_check(std::string_view name) {
  const auto all = checks();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto* each) { return each->name == name; });
  return found == all.end() ? nullptr : *found;
}

}  // namespace pantryd::validate
