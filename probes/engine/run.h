// One run of one probe on a connection: gated by role, version, extension and relation, bounded in
// time, in rows, in series and by lock_timeout.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pg/connection.h"
#include "probes/engine/bound.h"
#include "probes/engine/server_facts.h"
#include "probes/engine/spec.h"

namespace pantryd::probes {

/// More rows than this are cut, and the run says so: a probe must not flood the page.
inline constexpr int kRowsMax = 20'000;
/// Of a query that has a bound, rows that are looked at to choose from.
inline constexpr int kBoundedRowsMax = 200'000;

class RelationShare;

/// The session that every probe runs in. `stop` ends its waits; it may be null.
[[nodiscard]] pg::ConnectOptions guarded_session(std::chrono::milliseconds lock_timeout,
                                                 const StopFlag* stop);

/// Throws PgError.
[[nodiscard]] TargetFacts read_facts(pg::Connection& connection, Deadline deadline);

/// What a probe of a target (and database) remembers from run to run.
class ProbeMemory {
 public:
  /// The spec must outlive it.
  explicit ProbeMemory(const ProbeSpec& spec);
  /// Null for a query without a bound.
  [[nodiscard]] Bounder* bounder(std::size_t query) { return bounders_[query].get(); }

 private:
  std::vector<std::unique_ptr<Bounder>> bounders_;
};

struct RunOptions {
  std::string target;  ///< goes into every series
  /// Of a probe of scope database: the visited one, as the target's own database spells its name;
  /// empty: as the visited one does.
  std::string database;
  ProbeParameters parameters;
  RelationShare* share = nullptr;  ///< null: relations_max is this database's alone
  bool with_samples = false;       ///< values besides text, for who judges them
};

/// Never throws: every failure is an outcome. A connection that is broken afterwards says so
/// itself.
[[nodiscard]] ProbeRun run_probe(pg::Connection& connection, const ProbeSpec& spec,
                                 const TargetFacts& facts, const RunOptions& options,
                                 ProbeMemory& memory);

/// How a run that met this error ended.
[[nodiscard]] Outcome outcome_of(const pg::PgError& error);

/// True when the probe has something to say about such a server.
[[nodiscard]] bool applies(const ProbeSpec& spec, const TargetFacts& facts);

/// Those of spec.rights that ours is not a member of; empty when it has one of them, for one is
/// enough.
[[nodiscard]] std::vector<std::string> missing_rights(const ProbeSpec& spec,
                                                      const TargetFacts& facts);

}  // namespace pantryd::probes
