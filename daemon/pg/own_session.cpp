// How a pooler gives itself away: it starts a session on the server only when it has none to lend.
// So while we are between two transactions, others ask for sessions through it. If one of them gets
// ours, ours is lent. If they get newly started ones, ours was not there to be lent.
#include "pg/own_session.h"

#include <fmt/format.h>

#include <vector>

#include "pg/connection.h"
#include "pg/sqlstate.h"

namespace pantryd::pg {
namespace {

/// A pool without a free session makes us wait, and no longer than this.
constexpr auto kBorrowLimit = std::chrono::seconds(5);
/// Sessions that others left behind are lent first; this many of them we are willing to see.
constexpr int kBorrowedMax = 16;
/// One newly started session may be a coincidence: a pooler that fills its pool just then.
constexpr int kProofs = 2;

/// Of a transaction: a standby answers, whatever its default, and no name is looked up elsewhere.
constexpr const char* kBegin =
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = pg_catalog, pg_temp";

// $1: our session; $2: its last query; $3: when that ran.
constexpr const char* kLook =
    "SELECT pg_backend_pid(), me.backend_start > $3::timestamptz, "
    "EXISTS (SELECT 1 FROM pg_stat_activity ours WHERE ours.pid = $1::int "
    "AND ours.state = 'idle' AND ours.query = $2), clock_timestamp()::text "
    "FROM pg_stat_activity me WHERE me.pid = pg_backend_pid()";

constexpr const char* kUnproved = "cannot find out whether it gives us a session of our own";

/// Why not; empty when it is ours. Finds the process too.
std::string why_lent(Connection& connection, int& pid, Deadline deadline) {
  connection.exec_script(kBegin, deadline);
  const auto ours = connection.exec("SELECT pg_backend_pid(), clock_timestamp()::text", deadline);
  pid = static_cast<int>(ours.i64(0, 0));
  std::string since(ours.text(0, 1));
  const auto last_query = fmt::format("COMMIT /* of_pantryd_{} */", pid);
  connection.exec_script(last_query, deadline);
  std::vector<Connection> borrowed;
  for (int proofs = 0, i = 0; i < kBorrowedMax; ++i) {
    const auto limit = deadline.within(kBorrowLimit);
    ConnectOptions options;
    options.application_name = "pantryd look";
    borrowed.push_back(Connection::connect(connection.conninfo(), limit, options));
    auto& other = borrowed.back();
    // An open transaction keeps what it got, so that the next one gets something else.
    other.exec_script(kBegin, limit);
    const auto row = other.exec(kLook, Params::of(pid, last_query, since), limit);
    if (row.empty()) break;
    if (row.i64(0, 0) == pid || !row.boolean(0, 2)) {
      return "it lends the session that runs our statements to others in between";
    }
    if (!row.boolean(0, 1)) continue;
    if (++proofs == kProofs) return {};
    since = row.text(0, 3);
  }
  return kUnproved;
}

}  // namespace

SessionFound find_session(Connection& connection, Deadline deadline) {
  SessionFound out;
  try {
    out.pid =
        static_cast<int>(connection.exec("SELECT pg_catalog.pg_backend_pid()", deadline).i64(0, 0));
  } catch (const PgError& error) {
    // On a standby whose default is serializable no plain SELECT runs.
    if (error.sqlstate() != sqlstate::kFeatureNotSupported) throw;
  }
  if (out.pid == connection.backend_pid()) return out;
  try {
    out.lent = why_lent(connection, out.pid, deadline);
  } catch (const PgError& error) {
    out.lent = fmt::format("{}: {}", kUnproved, error.what());
  }
  return out;
}

}  // namespace pantryd::pg
