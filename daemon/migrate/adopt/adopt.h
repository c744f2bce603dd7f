// Taking over a database that Knex 3 made. What Knex recorded becomes rows of our history, after
// the proof that the catalogue is what our files make; Knex's own tables stay as they are.
//
// Until the application stops calling Knex, a fence keeps it from migrating: Knex's own lock, set
// by us. That lock has no owner, so pantryd.knex_fence keeps which version of its row is ours.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "migrate/files/migration.h"
#include "migrate/run/options.h"
#include "pg/connection.h"

namespace pantryd::migrate {

/// A row of knex_migrations. All but id may be NULL there.
struct KnexRow {
  std::int64_t id = 0;
  std::string name;  ///< the file's name with its extension; empty when NULL
  std::optional<std::int64_t> batch;
  std::optional<std::string> time;  ///< as the server writes a timestamptz

  bool operator==(const KnexRow&) const = default;
};

struct Adopted {
  Migration file;
  KnexRow knex;
};

/// Files and Knex's rows, side by side.
struct KnexMatch {
  std::vector<Adopted> adopted;        ///< by version; same number and same name
  std::vector<std::string> unmatched;  ///< names in Knex's table that are no file of ours
  std::vector<std::string> pending;    ///< our files that Knex did not run, repeatable ones too
  std::vector<std::string> warnings;   ///< doubles, times that are NULL, gaps, another order
};

/// `rows` by id. Strips .js .cjs .mjs .ts .sql; the leading digits are the number.
[[nodiscard]] KnexMatch match(const std::vector<KnexRow>& rows,
                              const std::vector<Migration>& files);

struct Adoption {
  enum class Outcome {
    adopted,
    already,  ///< by an earlier run; `match.adopted` is empty
    refused,  ///< nothing was recorded: `match.unmatched`, `missing` or `unexpected` tell why
  };
  Outcome outcome = Outcome::refused;
  KnexMatch match;
  std::vector<std::string> missing;     ///< objects that our files make and the database has not
  std::vector<std::string> unexpected;  ///< objects that our files do not make
  std::string built_in;                 ///< "database" or "schema": where ours were built
  bool fenced = false;                  ///< the fence stands now
};

/// One transaction under the runner's lock: all of it or nothing. `fence`: sets the fence in it.
/// Throws Error(failed): no tables of Knex, an empty one, a history that is not Knex's, no right to
/// build anywhere; Error(lock): Knex holds its lock, or a lock was not had within the budget.
[[nodiscard]] Adoption adopt_from_knex(pg::Connection& connection,
                                       const std::vector<Migration>& files,
                                       const RunnerOptions& options, bool fence);

/// False: it stood already. Throws Error(lock) when Knex holds its lock.
[[nodiscard]] bool fence_knex(pg::Connection& connection, const RunnerOptions& options);
/// False: there was none. Throws Error(lock) when the lock is Knex's own.
[[nodiscard]] bool unfence_knex(pg::Connection& connection, const RunnerOptions& options);

struct Released {
  std::vector<std::string> names;  ///< whose rows were deleted; empty: nothing was adopted
  bool unfenced = false;
  std::vector<std::string> warnings;
};
/// Deletes the rows that an adoption wrote, and the fence. Throws Error(failed) that names what
/// pantryd applied on top of them.
[[nodiscard]] Released undo_adoption(pg::Connection& connection, const RunnerOptions& options);

}  // namespace pantryd::migrate
