// PostgreSQL's modes of table locks (manual, "Explicit Locking").
#pragma once

#include <optional>
#include <string_view>

namespace pantryd::migrate {

/// Numbered as in the server, weakest first.
enum class LockMode {
  access_share = 1,
  row_share,
  row_exclusive,
  share_update_exclusive,
  share,
  share_row_exclusive,
  exclusive,
  access_exclusive,
};

/// "ACCESS EXCLUSIVE", as LOCK TABLE writes it.
[[nodiscard]] std::string_view to_string(LockMode mode);
/// From pg_locks.mode, such as "AccessExclusiveLock"; nullopt for what is no table lock.
[[nodiscard]] std::optional<LockMode> lock_mode_of(std::string_view pg_locks_mode);
/// True when two sessions cannot hold these on one table at a time.
[[nodiscard]] bool conflict(LockMode one, LockMode other);

}  // namespace pantryd::migrate
