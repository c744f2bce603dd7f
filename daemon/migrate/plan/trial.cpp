// Invariants: while over_ is empty the transaction is open and sound, and one savepoint of ours is
// its innermost; holding_since_ is set before the end of the first statement after which anything
// that others use is locked, to the start of that statement, and is never taken back; before each
// statement the server has limits that end it and us within what is left of the budget.
#include "migrate/plan/trial.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "migrate/run/limits.h"
#include "migrate/run/retry.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kShort = seconds(5);
constexpr auto kWhole = seconds(60);           ///< an open transaction holds back vacuum
constexpr auto kLeftLeast = milliseconds(20);  ///< with less than this no statement is begun
constexpr std::size_t kLocksMax = 2'000;       ///< the server's table of locks is shared by all

/// Functions of the server whose effect a rollback leaves.
constexpr std::array<std::string_view, 16> kLastingFunctions{"nextval",
                                                             "setval",
                                                             "pg_advisory_lock",
                                                             "pg_advisory_lock_shared",
                                                             "pg_try_advisory_lock",
                                                             "pg_try_advisory_lock_shared",
                                                             "pg_cancel_backend",
                                                             "pg_terminate_backend",
                                                             "pg_reload_conf",
                                                             "pg_rotate_logfile",
                                                             "pg_switch_wal",
                                                             "pg_promote",
                                                             "lo_export",
                                                             "pg_create_restore_point",
                                                             "pg_logical_emit_message",
                                                             "pg_log_backend_memory_contexts"};
constexpr std::array<std::string_view, 8> kLastingPrefixes{
    "pg_stat_reset",  "pg_create_logical", "pg_create_physical", "pg_drop_replication",
    "pg_replication", "pg_file_",          "pg_backup_",         "pg_wal_replay_"};
/// Of extensions, and known to do nothing but compute.
constexpr std::array<std::string_view, 6> kComputing{
    "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_salt", "crypt",
    "gen_random_bytes"};

bool has_lasting_effect(const std::string& name) {
  if (std::find(kLastingFunctions.begin(), kLastingFunctions.end(), name) !=
      kLastingFunctions.end())
    return true;
  return std::any_of(kLastingPrefixes.begin(), kLastingPrefixes.end(),
                     [&](std::string_view prefix) { return name.rfind(prefix, 0) == 0; });
}

/// Of tables whose rows change, those that a cascade reaches and partitions included: what fires.
constexpr const char* kFires = R"(
WITH RECURSIVE reached(oid, direct) AS (
  SELECT c.oid, true FROM jsonb_array_elements_text($1::jsonb) w(name)
  JOIN pg_catalog.pg_class c ON c.oid = to_regclass(w.name)
  UNION
  SELECT below.oid, reached.direct AND below.part FROM reached JOIN (
    SELECT confrelid AS parent, conrelid AS oid, false AS part FROM pg_catalog.pg_constraint
    WHERE contype = 'f' AND (confupdtype NOT IN ('a', 'r') OR confdeltype NOT IN ('a', 'r'))
    UNION ALL SELECT inhparent, inhrelid, true FROM pg_catalog.pg_inherits) below
  ON below.parent = reached.oid)
SELECT 1, format('%s is not an ordinary table', c.relname), 0::bigint
FROM reached r JOIN pg_catalog.pg_class c USING (oid) WHERE c.relkind NOT IN ('r', 'p')
UNION ALL
SELECT 2, format('a rule of %s would run', c.relname), 0
FROM reached r JOIN pg_catalog.pg_class c USING (oid)
WHERE EXISTS (SELECT FROM pg_catalog.pg_rewrite u WHERE u.ev_class = c.oid)
UNION ALL
SELECT 3, format('the trigger %s of %s would run', g.tgname, c.relname), 0
FROM reached r JOIN pg_catalog.pg_class c USING (oid)
JOIN pg_catalog.pg_trigger g ON g.tgrelid = c.oid
WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
UNION ALL
SELECT 4, format('a default of %s calls %s()', c.relname, p.proname), 0
FROM reached r JOIN pg_catalog.pg_class c USING (oid)
JOIN pg_catalog.pg_attrdef a ON a.adrelid = c.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = a.oid
  AND d.refclassid = 'pg_catalog.pg_proc'::regclass
JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid
WHERE r.direct AND $2 AND p.provolatile <> 'i' AND p.proname NOT IN ('uuid_generate_v4')
UNION ALL
SELECT 5, format('it would draw numbers from the sequence %s', s.relname), s.oid::bigint
FROM reached r JOIN pg_catalog.pg_class c USING (oid)
LEFT JOIN pg_catalog.pg_attrdef a ON a.adrelid = c.oid
JOIN pg_catalog.pg_depend d ON
  (d.classid = 'pg_catalog.pg_attrdef'::regclass AND d.objid = a.oid
   AND d.refclassid = 'pg_catalog.pg_class'::regclass)
JOIN pg_catalog.pg_class s ON s.oid = d.refobjid AND s.relkind = 'S'
WHERE r.direct AND $2
UNION ALL
SELECT 5, format('it would draw numbers from the sequence %s', s.relname), s.oid::bigint
FROM reached r JOIN pg_catalog.pg_class c USING (oid)
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass
  AND d.refobjid = c.oid AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'i'
JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
WHERE r.direct AND $2
ORDER BY 1, 2 LIMIT 100)";

constexpr const char* kUnknownCode =
    "SELECT DISTINCT p.proname FROM pg_catalog.pg_proc p "
    "WHERE p.proname IN (SELECT jsonb_array_elements_text($1::jsonb)) AND p.provolatile <> 'i' "
    "AND p.pronamespace <> 'pg_catalog'::regnamespace ORDER BY 1 LIMIT 1";

}  // namespace

Trial::Trial(const pg::Conninfo& where, Look& look, const PlanOptions& options)
    : look_(look),
      options_(options),
      connection_(pg::Connection::connect(
          where, Deadline::in(kConnectLimit),
          {.application_name = "pantryd migrate plan",
           .settings = {{"lock_timeout", fmt::format("{}ms", options.lock_timeout.count())},
                        {"client_min_messages", "warning"}},
           .stop = options.stop})),
      whole_(Deadline::in(kWhole)) {}

void Trial::begin() {
  whole_ = Deadline::in(kWhole);
  connection_.exec("BEGIN", Deadline::in(kShort));
  connection_.exec("SAVEPOINT pantryd_plan", Deadline::in(kShort));
  // Behind a pooler the pid of the connection is not that of the server's process.
  pid_ = static_cast<int>(
      connection_.exec("SELECT pg_catalog.pg_backend_pid()", Deadline::in(kShort)).i64(0, 0));
}

void Trial::new_file() {
  if (!over_.empty()) return;
  try {
    connection_.exec_script("RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL",
                            Deadline::in(kShort));
  } catch (const pg::PgError& error) {
    if (error.failure() == pg::Failure::stopped) throw;
    stop(fmt::format("the session was lost: {}", error.what()));
  }
}

milliseconds Trial::left() const {
  if (!holding_since_) return options_.hold_budget;
  const auto gone = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - *holding_since_);
  return std::max(milliseconds(0), options_.hold_budget - gone);
}

/// A file may change each of these, so they are set anew before each statement.
void Trial::set_guards(const std::string& before) {
  const auto statement = std::min(options_.statement_timeout, left());
  connection_.exec_script(fmt::format("{}SAVEPOINT pantryd_plan; SET LOCAL lock_timeout = {}; "
                                      "SET LOCAL statement_timeout = {}; "
                                      "SET LOCAL idle_in_transaction_session_timeout = {}",
                                      before, std::min(options_.lock_timeout, statement).count(),
                                      statement.count(), std::max<std::int64_t>(1, left().count())),
                          Deadline::in(kShort));
}

Attempt Trial::run(const std::string& sql, const Reach& reach) {
  if (over_.empty() && left() < kLeftLeast) {
    stop(fmt::format("the {} for which the plan may hold locks are over",
                     format_duration(options_.hold_budget)));
  } else if (over_.empty() && whole_.expired()) {
    stop(fmt::format("the plan's transaction was open for {}", format_duration(kWhole)));
  }
  if (!over_.empty()) return {Outcome::not_tried, over_, "", {}};
  const auto limit = std::min(options_.statement_timeout, left());
  const auto began = SteadyClock::now();
  try {
    set_guards("RELEASE SAVEPOINT pantryd_plan; ");
    if (auto effect = lasting_effect(reach); !effect.empty()) {
      return {Outcome::not_tried, std::move(effect), "", {}};
    }
    connection_.exec(sql, Deadline::in(limit + kShort));
    return {Outcome::tried, "", "", take_locks(began)};
  } catch (const pg::PgError& error) {
    if (error.failure() == pg::Failure::stopped) throw;
    // What it had locked is free again, but others may have waited: that counts.
    if (!holding_since_) holding_since_ = began;
    return failed(error, limit);
  }
}

Attempt Trial::failed(const pg::PgError& error, milliseconds limit) {
  Attempt out;
  out.sqlstate = error.sqlstate();
  try {
    if (connection_.broken()) throw Error(ExitCode::failed, error.what());
    connection_.exec_script("ROLLBACK TO SAVEPOINT pantryd_plan", Deadline::in(kShort));
  } catch (const std::exception&) {
    stop("the plan's session was ended");
    out.reason = fmt::format("{}: {}", over_, error.what());
    return out;
  }
  if (error.sqlstate() == pg::sqlstate::kLockNotAvailable) {
    out.outcome = Outcome::blocked;
    out.reason = "somebody holds a lock that it needs";
  } else if (error.sqlstate() == pg::sqlstate::kQueryCanceled ||
             error.failure() == pg::Failure::timeout) {
    out.reason = fmt::format("stopped after {}", format_duration(limit));
  } else if (refuses_transaction(error)) {
    out.reason = "it cannot run in a transaction";
  } else {
    out.outcome = Outcome::fails;
    out.reason = one_line(error.what());
  }
  return out;
}

std::string Trial::lasting_effect(const Reach& reach) {
  if (auto found = lasting_function(reach); !found.empty()) return found;
  return lasting_rows(reach);
}

std::string Trial::lasting_function(const Reach& reach) {
  nlohmann::json names = nlohmann::json::array();
  for (const auto& each : reach.functions) {
    if (each.empty()) continue;
    if (has_lasting_effect(each.back())) {
      return fmt::format("it calls {}(), which a rollback does not undo", each.back());
    }
    if (each.size() > 1 && each.front() == "pg_catalog") continue;
    if (std::find(kComputing.begin(), kComputing.end(), each.back()) != kComputing.end()) continue;
    names.push_back(each.back());
  }
  if (names.empty()) return {};
  const auto rows =
      connection_.exec(kUnknownCode, pg::Params::of(names.dump()), Deadline::in(kShort));
  if (rows.empty()) return {};
  return fmt::format("it calls {}(), code that nobody looked into", rows.text(0, 0));
}

std::string Trial::lasting_rows(const Reach& reach) {
  if (reach.rows.empty()) return {};
  nlohmann::json names = nlohmann::json::array();
  for (const auto& each : reach.rows) names.push_back(each.sql());
  const auto rows =
      connection_.exec(kFires, pg::Params::of(names.dump(), reach.inserts), Deadline::in(kShort));
  for (int i = 0; i < rows.rows(); ++i) {
    const auto sequence = rows.i64(i, 2);
    // A sequence that the plan has made goes with it.
    if (sequence != 0 && describe_relations(look_.connection(), {sequence}).empty()) continue;
    return std::string(rows.text(i, 1));
  }
  return {};
}

void Trial::learn(const std::vector<HeldLock>& locks) {
  std::set<Oid> unknown;
  for (const auto& each : locks) {
    if (each.relation && known_.count(each.oid) == 0 && gone_.count(each.oid) == 0) {
      unknown.insert(each.oid);
    }
  }
  if (unknown.empty()) return;
  for (auto& [oid, relation] : describe_relations(look_.connection(), unknown)) {
    known_[oid] = relation;
    unknown.erase(oid);
  }
  if (unknown.empty()) return;
  for (auto& [oid, relation] : describe_relations(connection_, unknown)) {
    known_[oid] = relation;
    new_.insert(oid);
    unknown.erase(oid);
  }
  gone_.insert(unknown.begin(), unknown.end());
}

std::vector<SeenLock> Trial::take_locks(SteadyClock::time_point began) {
  const auto locks = look_.locks_of(pid_);
  // Until it is known whose they are, the clock runs.
  const bool was_holding = holding_since_.has_value();
  if (!was_holding) holding_since_ = began;
  learn(locks);
  std::map<Oid, LockMode> now;
  bool matters = was_holding;
  for (const auto& each : locks) {
    if (each.other) {
      matters = matters || each.mode > LockMode::row_exclusive;
      continue;
    }
    if (known_.count(each.oid) == 0) continue;
    const bool system = known_.at(each.oid).is_system();
    if (new_.count(each.oid) == 0) {
      matters = matters || each.mode > (system ? LockMode::row_exclusive : LockMode::access_share);
    }
    if (system) continue;
    auto& mode = now.emplace(each.oid, each.mode).first->second;
    mode = std::max(mode, each.mode);
  }
  if (!matters) holding_since_.reset();
  std::vector<SeenLock> out;
  for (const auto& [oid, mode] : now) {
    const auto before = held_.find(oid);
    if (before != held_.end() && before->second >= mode) continue;
    out.push_back({known_.at(oid), mode, new_.count(oid) > 0});
  }
  held_ = std::move(now);
  if (locks.size() > kLocksMax) {
    stop(fmt::format("the plan holds more than {} locks", kLocksMax));
  }
  return out;
}

void Trial::stop(const std::string& why) {
  if (over_.empty()) over_ = why;
  (void)end();
}

milliseconds Trial::end() {
  if (held_for_) return *held_for_;
  if (!connection_.broken() && !connection_.make_idle(Deadline::in(kShort))) {
    over_ = "the plan's session was ended";
  }
  held_for_ = milliseconds(0);
  if (holding_since_) {
    held_for_ = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - *holding_since_);
  }
  return *held_for_;
}

}  // namespace pantryd::migrate
