// What the server promises about a commit, as claims about durability and replication read it:
// synchronous_commit of a session like the application's, and synchronous_standby_names with the
// standbys that meet them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "validate/claim.h"
#include "validate/evidence.h"

namespace pantryd::validate {

/// What the settings and views show together; the evidence of a claim has the sentences.
struct Seen {
  bool bad = false;         ///< something that breaks the promise
  bool unreadable = false;  ///< something that could not be read
  /// FAIL where something is bad, else INCONCLUSIVE: unreadable, or not tested.
  void conclude(Judgement& out) const;
};

/// The statements that add_promise() reads the answers of.
[[nodiscard]] std::vector<std::string> promise_queries();

/// synchronous_standby_names of a session of our role; none where it could not be read.
[[nodiscard]] std::optional<std::string> standby_names(const Evidence& evidence);

/// Adds what a commit waits for, by this table (docs/load-testing.md):
///   synchronous_commit off                            bad
///   local, with synchronous_standby_names set         bad: commits do not wait for the standby
///   remote_write, with them set                       bad: the standby has not flushed them
///   local or remote_write, with none set              as durable as on, on this server alone
///   synchronous_standby_names that too few meet       bad
///   synchronous_standby_names empty                   a failover may lose acknowledged commits
void add_promise(const Evidence& evidence, Seen& seen, Judgement& out);

/// How many standbys "FIRST 2 (a, b)", "ANY 1 (a, b)", "2 (a, b)" or "a, b" wait for; 0 for an
/// empty text.
[[nodiscard]] std::int64_t standbys_wanted(const std::string& names);

/// The first statement of the workload that sets synchronous_commit to something below "on"; none
/// for a workload that keeps the server's promise.
[[nodiscard]] std::optional<std::string> weakened_commit(const loadgen::Workload& workload);

}  // namespace pantryd::validate
