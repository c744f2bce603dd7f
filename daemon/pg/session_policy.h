// The two choices that depend on what stands between us and the server, and on how much the
// borrowers of a connection are trusted.
#pragma once

#include <cstdint>

namespace pantryd::pg {

/// How exec_cached() runs statements.
enum class Prepared : std::uint8_t {
  /// Named when the server process that answers is the one that the start-up told of, found out
  /// once at the first use, with one round trip. A pooler makes up process ids for its clients, so
  /// behind PgBouncer, in whichever mode, this is `unnamed`. A pooler that passes the server's own
  /// process id through cannot be told from a server: say `unnamed` for it.
  automatic,
  /// Always by name: for PgBouncer 1.21 and newer with max_prepared_statements above 0, and for one
  /// with pool_mode = session. Through another pooler statements fail with 26000 or 42P05.
  named,
  /// Always parsed, bound and executed in one message; right everywhere.
  unnamed,
};

/// Whether make_idle() brings the session back to what it was after the connect: cursors, role,
/// settings, LISTEN, advisory locks, temporary tables and sequence values, as DISCARD ALL does.
/// Settings given at connect (options, application_name, ALTER ROLE ... SET) are in force again.
/// Prepared statements stay and stay known; only when somebody used the SQL command PREPARE all of
/// them are dropped.
///
/// Behind a pooler with pool_mode = session all of this holds as for a server. In transaction mode
/// the session that was changed may have been lent to somebody else already, and the reset runs in
/// whichever the pooler picks: it does no harm to who keeps to the rules of that mode, and helps
/// for certain with nobody. There use `never`, and server_reset_query_always = 1 in PgBouncer if
/// clients do change their sessions.
enum class Reset : std::uint8_t {
  /// When a statement may have changed the session: told by the command tag of each result and by
  /// the words of each text (pg/session_mark.h), so a clean one costs no round trip. Cannot see
  /// what a function changes inside (set_config() or EXECUTE 'SET ...' in PL/pgSQL, variables of
  /// PL/Perl and PL/Python), nor what passes by native().
  tracked,
  /// Always, in one round trip: for applications with such functions.
  always,
  /// Only an open transaction is rolled back.
  never,
};

}  // namespace pantryd::pg
