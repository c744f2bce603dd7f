// Private to plan: the one transaction in which statements are tried, and its limits.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "migrate/plan/look.h"
#include "migrate/plan/reach.h"
#include "pg/connection.h"

namespace pantryd::migrate {

/// A relation and what is locked of it, by oid.
struct SeenLock {
  Relation relation;
  LockMode mode = LockMode::access_share;
  bool is_new = false;
};

struct Attempt {
  Outcome outcome = Outcome::not_tried;
  std::string reason;
  std::string sqlstate;         ///< of a statement that the server refused
  std::vector<SeenLock> locks;  ///< those that it took or made stronger
};

class Trial {
 public:
  /// Connects; begins nothing yet.
  Trial(const pg::Conninfo& where, Look& look, const PlanOptions& options);

  [[nodiscard]] pg::Connection& connection() { return connection_; }
  /// Of the transaction's session, once it has begun.
  [[nodiscard]] int pid() const { return pid_; }

  void begin();
  /// The settings of a fresh session, as a run has them at the start of each file.
  void new_file();
  /// Never throws for what the server says. With what is left of the transaction unchanged when it
  /// was not tried to its end.
  [[nodiscard]] Attempt run(const std::string& sql, const Reach& reach);
  /// Rolls all of it back. The time from the first lock on what others use until now.
  std::chrono::milliseconds end();

  /// Why nothing more is tried; empty while it goes on.
  [[nodiscard]] const std::string& over() const { return over_; }
  /// The strongest lock that the transaction has on each relation that was there before.
  [[nodiscard]] const std::map<Oid, LockMode>& held() const { return held_; }
  [[nodiscard]] bool is_new(Oid oid) const { return new_.count(oid) > 0; }

 private:
  [[nodiscard]] std::chrono::milliseconds left() const;
  [[nodiscard]] std::string lasting_effect(const Reach& reach);
  [[nodiscard]] std::string lasting_function(const Reach& reach);
  [[nodiscard]] std::string lasting_rows(const Reach& reach);
  [[nodiscard]] std::vector<SeenLock> take_locks(SteadyClock::time_point began);
  void learn(const std::vector<HeldLock>& locks);
  [[nodiscard]] Attempt failed(const pg::PgError& error, std::chrono::milliseconds limit);
  void set_guards(const std::string& before);
  void stop(const std::string& why);

  Look& look_;
  const PlanOptions& options_;
  pg::Connection connection_;
  Deadline whole_;
  int pid_ = 0;
  std::optional<SteadyClock::time_point> holding_since_;
  std::map<Oid, LockMode> held_;
  std::map<Oid, Relation> known_;
  std::set<Oid> new_;
  std::set<Oid> gone_;  ///< made and dropped by one statement, such as a table's rewritten copy
  std::string over_;
  std::optional<std::chrono::milliseconds> held_for_;  ///< set once it is rolled back
};

}  // namespace pantryd::migrate
