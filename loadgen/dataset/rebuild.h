// What makes COPY slow (indexes, foreign keys, the trigger that keeps sums) is put aside before a
// large seed and made again after it. Everything is read from the catalogue; there is no second
// copy of the schema here. What is to be made again is rows of pantryd.seed_ledger, part 'rebuild',
// written in the transaction that drops, and each removed in the transaction that makes the thing
// again: killed at any point, the next seed makes the rest.
//
// What cannot be made again exactly from its definition stays in place and slows the COPY:
// exclusion constraints, what has a comment, what something else depends on, an index by which a
// table is clustered or identified to subscribers, one that is not valid.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "loadgen/dataset/grocery.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

/// One statement of the way back. Stages follow one another; within a stage, steps of different
/// lanes run beside each other, those of one lane one after the other.
struct RebuildStep {
  std::int64_t number = 0;  ///< of the ledger's row
  int stage = 0;
  std::string lane;
  std::string what;        ///< for people: "index public.sales_pkey"
  std::string sql;         ///< every name in it has its schema
  std::string tablespace;  ///< empty: the database's own
  double weight = 1;       ///< work to expect, relative to the others
  bool alone = false;      ///< no transaction may be open: VACUUM, CALL
};

struct BulkTable {
  Table table;
  std::int64_t rows;  ///< expected
};

/// Whether this role may drop and make again what belongs to the six tables, and they are plain
/// tables (no partitions, no inheritance). Throws PgError.
[[nodiscard]] bool may_put_aside(pg::Connection& connection, Deadline deadline);

/// Drops what slows COPY into `tables` and writes the way back into the ledger. Inside the caller's
/// transaction, which holds the tables locked and knows them to be empty. The session's
/// search_path is the same afterwards. Returns the number of steps. Throws PgError.
std::int64_t put_aside(pg::Connection& connection, const std::vector<BulkTable>& tables,
                       Deadline deadline);

/// The steps that are not done yet, in order. Empty when nothing is put aside.
[[nodiscard]] std::vector<RebuildStep> read_rebuild(pg::Connection& connection, Deadline deadline);

struct RebuildOptions {
  int jobs = 2;                   ///< connections that work at the same time
  std::int64_t memory_bytes = 0;  ///< maintenance_work_mem of each; 0: the server's own
  const StopFlag* stop = nullptr;
};

/// Told now and then by the thread that called: the share done, 0 to 1, and what is in work.
using RebuildProgress = std::function<void(double share, const std::string& what)>;

/// Runs all steps. `open` makes a connection; it is called from several threads. Throws the first
/// error; what was done until then stays done.
void run_rebuild(const std::vector<RebuildStep>& steps, const RebuildOptions& options,
                 const std::function<pg::Connection()>& open, const RebuildProgress& progress);

}  // namespace pantryd::loadgen
