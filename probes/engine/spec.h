// A probe as data: probes/*.yaml, compiled in, and the operator's own files. What SQL can say needs
// no code.
//
//   name: user_tables              summary: one sentence
//   interval: 30s                  timeout: 5s
//   cost: high                     what a run costs the server: low is the same on every server,
//                                  medium (the default) grows with sessions, databases, files of
//                                  WAL or statements, high with tables, indexes or memory
//   enabled: false                 runs only where the configuration names it (default true)
//   scope: database                once in each watched database (default cluster: once a target)
//   roles: [primary, standby]      (default: both)
//   extension: pg_stat_statements  (default: none needed)
//   relation: public.orders        only where it exists and this role may read it
//   columns: [id, state]           of that relation: its rows, 1,000 at most, are bound as $1, a
//                                  jsonb array of objects with these columns as text or null. They
//                                  are read without running what its owner attached to it
//                                  (pg/plain_table.h)
//   function: public.f(text)       likewise, and this role may execute it; several with spaces
//   rights: [pg_monitor]           without being a member of one of these it sees less, or nothing
//   queries:                       they run with search_path = pg_catalog, pg_temp: what is not the
//                                  server's own is named with its schema
//     - sql: SELECT ...            or a list of {versions: "14-16", extension: "1.9-", text: ...},
//                                  majors of the server and versions of the extension: the first
//                                  that fits both; where none does there is no query.
//                                  @extschema@ stands for the schema of the extension
//       parameters: [relations_max]  bound as $1, $2, ...: names of ProbeParameters
//       labels: [datname]          columns that become labels, for each metric below; of scope
//                                  database, datname is the visited database and needs no column
//       same_labels: max           rows with equal labels become one series: max, min or sum of
//                                  each column; number: each becomes a series, in the order of the
//                                  answer, and all but the first get the label row="2", "3", ...
//                                  Without it the first is exported, the others count as lost.
//       skipped: skipped           a column that is no metric: the relations left out because of
//                                  their locks, the same number in each row
//       bound:                     more rows than the limit: those that rank lowest become one
//         limit: relations_max     series whose labels say "other"; or a number
//         by: [activity, bytes]    ranks by the best share of any of these columns
//         keep: [datname]          labels that the series called "other" keeps
//         entries: [toplevel]      columns that tell entries of the server apart which are one
//                                  series; the query lists all of them each time, so that one that
//                                  is missing was thrown out and counts anew when it is back
//       metrics:
//         - {name: pg_x, column: x, type: counter, help: "...", rest: max}
//                                  rest: how "other" is made of many: sum (default), max, min,
//                                  none; same_labels: another rule than that of the query
//                                  total: name of one more counter, without labels: what all
//                                  rows grew by since the daemon looks; where there are entries
//         - {name: pg_y, column: y, type: histogram, help: "..."}
//                                  columns y (bounds, float8[]), y_bucket (cumulative, int8[]),
//                                  y_sum, y_count
#pragma once

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "probes/engine/query_spec.h"

namespace pantryd::probes {

enum class Scope { cluster, database };

enum class CostClass { low, medium, high };
[[nodiscard]] std::string_view to_string(CostClass cost);
/// Of a word that to_string() gives.
[[nodiscard]] CostClass parse_cost(std::string_view word);

struct ProbeSpec {
  std::string name;
  std::string summary;
  std::chrono::milliseconds interval{15'000};
  std::chrono::milliseconds timeout{5'000};
  CostClass cost = CostClass::medium;
  bool enabled = true;
  Scope scope = Scope::cluster;
  bool on_primary = true;
  bool on_standby = true;
  std::string extension;
  std::string relation;
  std::vector<std::string> columns;
  std::string function;
  std::vector<std::string> rights;
  std::vector<QuerySpec> queries;
  std::string source;  ///< the text that it was parsed from: equal texts are equal probes
};

/// Throws Error(usage) with FILE:LINE:COLUMN.
[[nodiscard]] ProbeSpec parse_probe(const std::string& text, const std::string& source_name);
/// Names of probes that are code; no SQL probe of an operator may have one of them.
using ReservedNames = std::set<std::string>;
/// Throws Error(usage) if an operator's probe has the name or a metric of the daemon, or of a probe
/// of this binary.
void refuse_clashes(const ProbeSpec& spec, const std::string& source_name,
                    const ReservedNames& reserved);
/// Those compiled into this binary, by name.
[[nodiscard]] std::vector<ProbeSpec> embedded_probes();
/// Those of the binary and the operator's *.yaml of `folder` (empty: none), by name. Throws
/// Error(usage): a file that is no probe, a name or a metric that another probe or the daemon
/// itself has already, more than 200 files.
[[nodiscard]] std::vector<ProbeSpec> all_probes(const std::filesystem::path& folder,
                                                const ReservedNames& reserved);

}  // namespace pantryd::probes
