// The connections that are borrowed: by which line of code, since when, and which for too long. Not
// thread-safe: the pool uses it under its mutex.
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
    bool reported = false;  ///< as a leak
  };

  /// A connection is lent to one borrower at a time.
  void put(Id id, Entry entry);
  std::optional<Entry> take(Id id) { return entries_.take(id); }

  /// Fills longest_hold and longest_holder.
  void report_longest(PoolStatistics& out, SteadyClock::time_point now) const;
  /// Connections held for longer than `leak_after`, the longest first, at most 20. With 0: none.
  [[nodiscard]] std::vector<Leak> leaks(std::chrono::milliseconds leak_after,
                                        SteadyClock::time_point now) const;
  /// Leaks that no call returned before. Adds all of them to `total` and returns at most 20.
  [[nodiscard]] std::vector<Leak> new_leaks(std::chrono::milliseconds leak_after,
                                            SteadyClock::time_point now, std::int64_t& total);

 private:
  ById<Entry> entries_;
};

}  // namespace pantryd::pool
