// Invariant: is_locked is written in the same transaction as pantryd.knex_fence, so that a fence of
// ours is always known as ours.
#include "migrate/adopt/knex.h"

#include <fmt/format.h>

#include "base/error.h"
#include "migrate/run/history.h"
#include "migrate/run/limits.h"
#include "migrate/run/retry.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;

constexpr int kRowsMax = 100'000;

/// The lock table first, as Knex itself does, so that the two cannot deadlock. A lock on the table
/// also covers one that has lost its row.
void take_locks(Session& session, milliseconds lock_timeout) {
  session.step("BEGIN");
  session.connection.exec("BEGIN", soon());
  session.connection.exec("SELECT set_config('lock_timeout', $1, true)",
                          pg::Params::of(std::to_string(lock_timeout.count())), soon());
  session.step("lock");
  watch_for_lock(session, lock_timeout);
  session.connection.exec(
      "LOCK TABLE public.knex_migrations_lock, public.knex_migrations IN SHARE ROW EXCLUSIVE MODE",
      soon());
  session.watch.disarm();
}

}  // namespace

KnexTables find_knex_tables(pg::Connection& connection, Deadline deadline) {
  const auto row = connection.exec(
      "SELECT to_regclass('public.knex_migrations') IS NOT NULL, "
      "to_regclass('public.knex_migrations_lock') IS NOT NULL",
      deadline);
  return {row.boolean(0, 0), row.boolean(0, 1)};
}

std::vector<KnexRow> read_knex_rows(pg::Connection& connection, Deadline deadline) {
  const auto rows = connection.exec(
      "SELECT id, coalesce(name, ''), batch, migration_time::text FROM public.knex_migrations "
      "ORDER BY id LIMIT $1",
      pg::Params::of(kRowsMax + 1), deadline);
  if (rows.rows() > kRowsMax) {
    throw Error(ExitCode::failed, fmt::format("knex_migrations has over {} rows", kRowsMax));
  }
  std::vector<KnexRow> out;
  for (int i = 0; i < rows.rows(); ++i) {
    out.push_back({rows.i64(i, 0), std::string(rows.text(i, 1)), rows.maybe_i64(i, 2),
                   rows.maybe_text(i, 3)});
  }
  return out;
}

void require_adopted(pg::Connection& connection, Deadline deadline) {
  if (!find_knex_tables(connection, deadline).migrations) return;
  if (!read_history(connection, deadline).empty()) return;
  const auto any = connection.exec("SELECT EXISTS (SELECT FROM public.knex_migrations)", deadline);
  if (!any.boolean(0, 0)) return;
  throw Error(ExitCode::failed,
              fmt::format("Knex made {}, and nobody took it over", connection.conninfo().display()),
              "Take it over first: pantryd migrate adopt --from knex.");
}

KnexLock read_knex_lock(pg::Connection& connection, Deadline deadline) {
  // NULL counts as locked, as it does for Knex, which looks for a row that is 0.
  const auto row = connection.exec(
      "SELECT coalesce(bool_or(is_locked IS DISTINCT FROM 0), false), "
      "string_agg(DISTINCT xmin::text, ' '), to_regclass('pantryd.knex_fence') IS NOT NULL "
      "FROM public.knex_migrations_lock",
      deadline);
  if (!row.boolean(0, 0)) return KnexLock::free;
  if (!row.boolean(0, 2)) return KnexLock::theirs;
  const auto fence = connection.exec("SELECT row_version FROM pantryd.knex_fence", deadline);
  const bool same = !fence.empty() && fence.text(0, 0) == row.text(0, 1);
  return same ? KnexLock::ours : KnexLock::theirs;
}

void require_not_theirs(KnexLock lock) {
  if (lock != KnexLock::theirs) return;
  throw Error(ExitCode::lock, "Knex holds its migration lock (knex_migrations_lock.is_locked)",
              "A run of Knex is under way, or one was killed. When none runs: npx knex "
              "migrate:unlock.");
}

void set_fence(pg::Connection& connection, Deadline deadline) {
  connection.exec(
      "INSERT INTO public.knex_migrations_lock (is_locked) "
      "SELECT 0 WHERE NOT EXISTS (SELECT FROM public.knex_migrations_lock)",
      deadline);
  const auto rows = connection.exec(
      "UPDATE public.knex_migrations_lock SET is_locked = 1 RETURNING xmin::text", deadline);
  connection.exec(
      "INSERT INTO pantryd.knex_fence AS f (row_version) VALUES ($1) ON CONFLICT (only_row) "
      "DO UPDATE SET row_version = excluded.row_version, fenced_at = clock_timestamp(), "
      "fenced_by = session_user",
      pg::Params::of(rows.text(0, 0)), deadline);
}

void clear_fence(pg::Connection& connection, KnexLock lock, Deadline deadline) {
  if (lock == KnexLock::ours) {
    connection.exec("UPDATE public.knex_migrations_lock SET is_locked = 0", deadline);
  }
  connection.exec("DELETE FROM pantryd.knex_fence", deadline);
}

void with_knex_locked(Session& session, const std::function<bool()>& work) {
  retry_for_locks(
      session, session.options.lock_timeout, [] { return std::string("Knex's tables"); },
      [&](milliseconds lock_timeout, int) {
        take_locks(session, lock_timeout);
        const bool keep = work();
        if (keep) session.step("COMMIT");
        session.connection.exec(keep ? "COMMIT" : "ROLLBACK", soon());
      });
}

}  // namespace pantryd::migrate
