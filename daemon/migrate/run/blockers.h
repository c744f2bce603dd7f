// Who stands in the way of the runner. pg_blocking_pids() answers only while we wait, so a second
// connection looks on while the first one runs.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "pg/connection.h"

namespace pantryd::migrate {

struct Blocker {
  std::int64_t pid = 0;  ///< 0: a prepared transaction
  std::string user;
  std::string application;
  std::string state;  ///< as pg_stat_activity tells it
  std::string query;  ///< its last or current one, shortened, secrets left out
  std::optional<std::chrono::seconds> age;  ///< of its transaction
};

/// Of a row `a` of pg_stat_activity, behind the pid: what read_blocker() reads.
inline constexpr std::string_view kBlockerColumns =
    "a.usename, a.application_name, a.state, left(a.query, 1000), "
    "extract(epoch FROM clock_timestamp() - a.xact_start)::bigint";

/// From a row whose first columns are pid, usename, application_name, state, query and the age of
/// the transaction in seconds.
[[nodiscard]] Blocker read_blocker(const pg::Result& rows, int row);
[[nodiscard]] std::vector<Blocker> read_blockers(const pg::Result& rows);

/// "pid 71 (app, idle in transaction for 3m 2s): SELECT ...", one after the other.
[[nodiscard]] std::string describe(const std::vector<Blocker>& blockers);

/// The query's first 120 characters on one line; nothing after a word like "password".
[[nodiscard]] std::string shorten_query(const std::string& query);

/// Transactions of this database that began before `age` ago and hold back a concurrent build.
[[nodiscard]] std::vector<Blocker> old_transactions(pg::Connection& connection,
                                                    std::chrono::milliseconds age,
                                                    Deadline deadline);

/// Watches one session from a thread and a connection of its own, opened at the first need and
/// kept. When that connection cannot be had, blockers stay unknown and nothing else suffers.
class BlockerWatch {
 public:
  BlockerWatch(pg::Conninfo where, int watched_pid);
  ~BlockerWatch();
  BlockerWatch(const BlockerWatch&) = delete;
  BlockerWatch& operator=(const BlockerWatch&) = delete;

  /// From now on look: first after `first_look`, then every half second. `tell`: write a warning
  /// whenever the blockers become others.
  void arm(std::chrono::milliseconds first_look, bool tell);
  /// Stops looking. Those seen last since arm(); empty when nobody was.
  std::vector<Blocker> disarm();

 private:
  void run();
  std::vector<Blocker> look();

  const pg::Conninfo where_;
  const int watched_pid_;
  StopFlag quit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool armed_ = false;
  bool tell_ = false;
  std::uint64_t turn_ = 0;  ///< counts arm() and disarm()
  SteadyClock::time_point next_look_;
  std::vector<Blocker> seen_;
  std::string told_;
  std::optional<pg::Connection> connection_;  ///< of the thread alone
  std::thread thread_;
};

}  // namespace pantryd::migrate
