// How a pooler gives itself away: it starts a session on the server only when it has none to lend.
// So while we are between two transactions, others ask for sessions through it. If one of them gets
// ours, ours is lent. If they get newly started ones, ours was not there to be lent.
#include "migrate/run/own_session.h"

#include <fmt/format.h>

#include <vector>

#include "base/error.h"
#include "migrate/run/limits.h"

namespace pantryd::migrate {
namespace {

/// A pool without a free session makes us wait, and no longer than this.
constexpr auto kBorrowLimit = std::chrono::seconds(5);
/// Sessions that others left behind are lent first; this many of them we are willing to see.
constexpr int kBorrowedMax = 16;
/// One newly started session may be a coincidence: a pooler that fills its pool just then.
constexpr int kProofs = 2;

// $1: our session; $2: its last query; $3: when that ran.
constexpr const char* kLook =
    "SELECT pg_backend_pid(), me.backend_start > $3::timestamptz, "
    "EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity ours WHERE ours.pid = $1::int "
    "AND ours.state = 'idle' AND ours.query = $2), clock_timestamp()::text "
    "FROM pg_catalog.pg_stat_activity me WHERE me.pid = pg_backend_pid()";

[[noreturn]] void refuse(const pg::Connection& connection, const std::string& why) {
  throw Error(ExitCode::failed,
              fmt::format("{} is a connection pooler: {}", connection.conninfo().display(), why),
              "Connect directly: name the server itself with --dsn. A migration needs a session of "
              "its own, as only PgBouncer's pool_mode = session gives it.");
}

void prove_own(pg::Connection& connection, std::int64_t pid) {
  const auto query = fmt::format("SELECT clock_timestamp()::text AS of_pantryd_{}", pid);
  auto since = std::string(connection.exec(query, soon()).text(0, 0));
  std::vector<pg::Connection> borrowed;
  for (int proofs = 0, i = 0; i < kBorrowedMax; ++i) {
    const auto deadline = Deadline::in(kBorrowLimit);
    borrowed.push_back(pg::Connection::connect(
        connection.conninfo(), deadline,
        {.application_name = "pantryd migrate look", .settings = {}, .stop = nullptr}));
    auto& other = borrowed.back();
    // An open transaction keeps what it got, so that the next one gets something else.
    other.exec("BEGIN", deadline);
    const auto row = other.exec(kLook, pg::Params::of(pid, query, since), deadline);
    if (row.empty()) break;
    if (row.i64(0, 0) == pid || !row.boolean(0, 2)) {
      refuse(connection, "it lends the session that runs our statements to others in between");
    }
    if (!row.boolean(0, 1)) continue;
    if (++proofs == kProofs) return;
    since = row.text(0, 3);
  }
  refuse(connection, "cannot find out whether it gives us a session of our own");
}

}  // namespace

int require_own_session(pg::Connection& connection) {
  const auto pid = connection.exec("SELECT pg_backend_pid()", soon()).i64(0, 0);
  if (pid == connection.backend_pid()) return static_cast<int>(pid);
  try {
    prove_own(connection, pid);
  } catch (const pg::PgError& error) {
    refuse(connection, fmt::format("cannot find out whether it gives us a session of our own: {}",
                                   error.what()));
  }
  return static_cast<int>(pid);
}

}  // namespace pantryd::migrate
