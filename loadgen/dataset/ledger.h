// What the seed wrote down in the database itself: table pantryd.seed_ledger. One row says which
// dataset it is, one row a chunk says that the chunk's rows are there; it is written in the same
// transaction as they are, so it never lies after a crash. Rows of part 'rebuild' say what was put
// aside for the copy and is not made again yet (rebuild.h).
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "loadgen/dataset/grocery.h"
#include "pg/connection.h"

namespace pantryd::loadgen {

struct Ledger {
  DatasetShape shape;
  /// How the rows are cut into chunks: a resumed seed must cut them as the first one did.
  std::int64_t products_per_chunk = 0;
  std::int64_t sales_per_chunk = 0;
  bool complete = false;
  std::int64_t put_aside = 0;  ///< steps of the rebuild that are not done
  /// Chunks that are in: part ("products", "sales", ...) and number.
  std::set<std::pair<std::string, std::int64_t>> chunks;
};

/// nullopt when there is no ledger or it is empty. Throws Error, also for a ledger of a newer form.
[[nodiscard]] std::optional<Ledger> read_ledger(pg::Connection& connection, Deadline deadline);

/// Creates schema and table where they are absent. Throws Error.
void create_ledger(pg::Connection& connection, Deadline deadline);
/// Forgets every chunk and writes down `ledger` as the dataset to make. What is put aside stays so.
void begin_ledger(pg::Connection& connection, const Ledger& ledger, Deadline deadline);
/// Inside the transaction that brings the chunk's rows.
void add_chunk(pg::Connection& connection, const std::string& part, std::int64_t chunk,
               std::int64_t rows, Deadline deadline);
/// Writes down a larger dataset that begins with the present one; it is no longer complete.
void grow_ledger(pg::Connection& connection, const Ledger& ledger, Deadline deadline);
void complete_ledger(pg::Connection& connection, Deadline deadline);

/// "v4" or "v7"; nullopt for another word.
[[nodiscard]] std::string_view to_string(Keys keys);
[[nodiscard]] std::optional<Keys> parse_keys(std::string_view text);

/// "seed 1, 100,000 products, 300,000 sales over 90 days".
[[nodiscard]] std::string describe(const DatasetShape& shape);

}  // namespace pantryd::loadgen
