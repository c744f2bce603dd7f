// What somebody changed by hand: the catalogue of schema public as text, one object a line, hashed
// and kept in pantryd.catalogue_fingerprint after each run.
//
// A run adds to the recorded catalogue what it changed itself and nothing else. So a change by hand
// stays visible after later runs, until `migrate verify --accept` takes it as right.
#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"

namespace pantryd::migrate {

/// Sorted, one object a line. Objects that belong to an extension are left out, the extension is
/// there; Knex's two tables are left out. In an open transaction search_path is empty afterwards.
/// Throws PgError; waits for no lock longer than `connection`'s lock_timeout.
[[nodiscard]] std::vector<std::string> read_catalogue(pg::Connection& connection,
                                                      Deadline deadline);

/// One reading in two forms.
struct Catalogue {
  std::vector<std::string> objects;  ///< as read_catalogue()
  std::vector<std::string> made;     ///< no owners and grants; with the order of columns. Sorted
};
/// Of schema `schema`, whose name is plain.
[[nodiscard]] Catalogue read_both(pg::Connection& connection, const std::string& schema,
                                  Deadline deadline);

/// Of two sorted lists: the lines that only the first has.
[[nodiscard]] std::vector<std::string> only_in_first(const std::vector<std::string>& first,
                                                     const std::vector<std::string>& second);

/// "sha256-v1" and the major version of the server, whose way of writing definitions it depends on.
[[nodiscard]] std::string fingerprint_algorithm(const pg::Connection& connection);
[[nodiscard]] std::string fingerprint(const std::vector<std::string>& catalogue);

struct CatalogueDrift {
  enum class State {
    unrecorded,    ///< no run recorded it yet
    same,          ///< as the last run left it
    drifted,       ///< `added` and `removed` tell how
    run_open,      ///< a run is under way or was cut off: it cannot be told
    incomparable,  ///< recorded by another algorithm or under another major version
  };
  State state = State::unrecorded;
  std::vector<std::string> added;    ///< in the database, not recorded
  std::vector<std::string> removed;  ///< recorded, not in the database
  std::string found;                 ///< fingerprint of the live catalogue
  std::string recorded;
  std::string recorded_at;
};

/// Changes nothing.
[[nodiscard]] CatalogueDrift compare_catalogue(pg::Connection& connection, Deadline deadline);
/// Before a run changes anything. A run that was cut off is still open, and is left so.
void open_run(pg::Connection& connection, Deadline deadline);
/// After it; idempotent. Does nothing when no run is open, but records a first fingerprint.
void close_run(pg::Connection& connection, Deadline deadline);
/// The catalogue as it is becomes the recorded one.
void accept_catalogue(pg::Connection& connection, Deadline deadline);
/// These, as read before in the same transaction, become the recorded ones.
void record_catalogue(pg::Connection& connection, const std::vector<std::string>& objects,
                      Deadline deadline);

}  // namespace pantryd::migrate
