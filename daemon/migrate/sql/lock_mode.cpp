// The lock modes of the manual, chapter 13.3.1, and which of them conflict.
#include "migrate/sql/lock_mode.h"

#include <array>
#include <cstddef>

namespace pantryd::migrate {
namespace {

struct Row {
  std::string_view sql;
  std::string_view pg_locks;
  unsigned conflicts;  ///< bit N: with the mode of number N
};

constexpr unsigned bits(int first, int last) {
  unsigned out = 0;
  for (int i = first; i <= last; ++i) out |= 1U << static_cast<unsigned>(i);
  return out;
}

/// The table of conflicts of the manual.
constexpr std::array<Row, 9> kRows{{
    {"", "", 0},
    {"ACCESS SHARE", "AccessShareLock", bits(8, 8)},
    {"ROW SHARE", "RowShareLock", bits(7, 8)},
    {"ROW EXCLUSIVE", "RowExclusiveLock", bits(5, 8)},
    {"SHARE UPDATE EXCLUSIVE", "ShareUpdateExclusiveLock", bits(4, 8)},
    {"SHARE", "ShareLock", bits(3, 4) | bits(6, 8)},
    {"SHARE ROW EXCLUSIVE", "ShareRowExclusiveLock", bits(3, 8)},
    {"EXCLUSIVE", "ExclusiveLock", bits(2, 8)},
    {"ACCESS EXCLUSIVE", "AccessExclusiveLock", bits(1, 8)},
}};

}  // namespace

std::string_view to_string(LockMode mode) {
  return kRows[static_cast<std::size_t>(mode)].sql;
}

std::optional<LockMode> lock_mode_of(std::string_view pg_locks_mode) {
  for (std::size_t i = 1; i < kRows.size(); ++i) {
    if (kRows[i].pg_locks == pg_locks_mode) return static_cast<LockMode>(i);
  }
  return std::nullopt;
}

bool conflict(LockMode one, LockMode other) {
  return ((kRows[static_cast<std::size_t>(one)].conflicts >> static_cast<unsigned>(other)) & 1U) !=
         0;
}

}  // namespace pantryd::migrate
