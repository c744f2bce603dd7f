// Who has which connection since when, and who has had one for too long. Not thread-safe: the pool
// looks at it under its mutex.
#pragma once

#include <memory>
#include <source_location>
#include <vector>

#include "pg/connection.h"
#include "pool/internal/by_id.h"
#include "pool/pool.h"

namespace pantryd::pool {

class Lent {
 public:
  struct Entry {
    SteadyClock::time_point since;
    std::source_location from;
    int backend_pid = 0;
    std::shared_ptr<const pg::StatementSlot> statement;
    bool told = false;  ///< as a leak
  };

  void put(Id id, Entry entry) { entries_.put(id, std::move(entry)); }
  std::optional<Entry> take(Id id) { return entries_.take(id); }

  /// Fills longest_hold and longest_holder.
  void tell_longest(PoolStatistics& out, SteadyClock::time_point now) const;
  /// Held for longer than `leak_after` (0: none is), the longest first, at most 20.
  [[nodiscard]] std::vector<Leak> leaks(std::chrono::milliseconds leak_after,
                                        SteadyClock::time_point now) const;
  /// Those that no call told before; `total` is raised by all of them, at most 20 are returned.
  [[nodiscard]] std::vector<Leak> new_leaks(std::chrono::milliseconds leak_after,
                                            SteadyClock::time_point now, std::int64_t& total);

 private:
  ById<Entry> entries_;
};

}  // namespace pantryd::pool
