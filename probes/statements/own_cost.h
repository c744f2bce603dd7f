// What the probes cost the server, by its own book-keeping: the entries of pg_stat_statements that
// belong to our role, given to probes by the identifier that the server computes for a statement.
//
// The server tells that identifier by EXPLAIN (VERBOSE) of the text, from 14 on and where
// compute_query_id is not off; asked once for each statement, server version and database. What it
// does not tell (statements that are made as they run, such as those of migrations) is in the
// total of the role alone. A role that others use too has their costs in its total.
#pragma once

#include <string>
#include <vector>

#include "probes/engine/coded.h"
#include "probes/engine/spec.h"
#include "probes/engine/watcher.h"

namespace pantryd::probes {

/// A statement of a probe, as it is sent.
struct OwnStatement {
  std::string probe;
  std::string extension;  ///< that the probe needs; empty: none
  VersionedSql sql;
  std::size_t parameters = 0;
};

[[nodiscard]] const ProbeDescription& own_cost_description();

/// Those of the probes that SQL expresses, and of the ones that are code.
[[nodiscard]] std::vector<OwnStatement> own_statements(const std::vector<ProbeSpec>& specs,
                                                       const std::vector<ProbeDescription>& coded);

/// The identifier in what EXPLAIN (VERBOSE, FORMAT JSON) answered; empty where there is none.
[[nodiscard]] std::string query_identifier(const std::string& plan_json);

/// Counters begin at zero with the first look.
[[nodiscard]] ServerProbe own_cost_probe(std::vector<OwnStatement> statements);

}  // namespace pantryd::probes
