// Both locks are advisory locks of the session, so the server gives them back however it ends.
#include "loadgen/dataset/seed_lock.h"

#include "loadgen/dataset/copier.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kLockQuestionLimit = std::chrono::seconds(60);
constexpr auto kLockPatience = std::chrono::seconds(5);  // the server may not know yet who died
constexpr auto kOrphanPatience = std::chrono::seconds(60);
constexpr auto kLockNap = std::chrono::milliseconds(100);
constexpr std::int64_t kSeedKey = 0x70616E7472794C44;    // "pantryLD"
constexpr std::int64_t kWorkerKey = 0x70616E7472794C57;  // "pantryLW"

bool try_lock(pg::Connection& connection, std::int64_t key) {
  return connection
      .exec("SELECT pg_try_advisory_lock($1)", pg::Params::of(key),
            Deadline::in(kLockQuestionLimit))
      .boolean(0, 0);
}

/// Waits between attempts; throws when a person stops it.
void nap(const StopFlag* stop) {
  static const StopFlag never;
  if ((stop != nullptr ? *stop : never).wait(Deadline::in(kLockNap))) throw_interrupted();
}

}  // namespace

void lock_seed(pg::Connection& connection, const StopFlag* stop) {
  const auto patience = Deadline::in(kLockPatience);
  while (!try_lock(connection, kSeedKey)) {
    if (patience.expired()) {
      throw Error(ExitCode::lock, "another seed is running on this database",
                  "Wait until it ends: its sessions have the application_name pantryd-load seed.");
    }
    nap(stop);
  }
}

void lock_as_worker(pg::Connection& connection) {
  connection.exec("SELECT pg_advisory_lock_shared($1)", pg::Params::of(kWorkerKey),
                  Deadline::in(kLockQuestionLimit));
}

void end_orphans(pg::Connection& connection, const StopFlag* stop) {
  const auto patience = Deadline::in(kOrphanPatience);
  while (!try_lock(connection, kWorkerKey)) {
    connection.exec(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"
        " WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"
        "  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        "  AND l.classid::bigint = $1::bigint >> 32"
        "  AND l.objid::bigint = $1::bigint & 4294967295 AND a.usename = current_user",
        pg::Params::of(kWorkerKey), Deadline::in(kLockQuestionLimit));
    if (patience.expired()) {
      throw Error(ExitCode::lock, "sessions of an earlier seed still work on this database",
                  "End them: pg_stat_activity lists them as pantryd-load seed.");
    }
    nap(stop);
  }
  connection.exec("SELECT pg_advisory_unlock($1)", pg::Params::of(kWorkerKey),
                  Deadline::in(kLockQuestionLimit));
}

}  // namespace pantryd::loadgen
