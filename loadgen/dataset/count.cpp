// A count that fails or takes too long ends on a connection of its own, so that the next statement
// finds a good one.
#include "loadgen/dataset/count.h"

#include <fmt/format.h>

#include "base/units.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kCountConnectLimit = std::chrono::seconds(10);
constexpr auto kLockLimit = std::chrono::seconds(1);
constexpr auto kEstimateLimit = std::chrono::seconds(5);

std::optional<std::int64_t> number_by(const pg::Conninfo& where, const char* sql,
                                      std::chrono::milliseconds limit) {
  const auto options = pg::watching_session("pantryd-load count", kLockLimit, nullptr);
  auto connection = pg::Connection::connect(where, Deadline::in(kCountConnectLimit), options);
  const auto rows = connection.exec(sql, Deadline::in(limit));
  if (rows.empty() || rows.is_null(0, 0)) return std::nullopt;
  return rows.i64(0, 0);
}

RowCount count_table(const pg::Conninfo& where, const CountedTable& table, std::int64_t seeded,
                     std::chrono::milliseconds limit) {
  RowCount out{table.name, seeded, {}, false, {}};
  try {
    out.rows = number_by(where, table.count_sql, limit);
    return out;
  } catch (const Error& error) {
    out.problem = error.what();
  }
  try {
    out.rows = number_by(where, table.estimate_sql, kEstimateLimit);
    out.estimated = out.rows.has_value();
  } catch (const Error&) {
    // The first problem says more.
  }
  return out;
}

}  // namespace

const CountedTable kCountedProducts{
    "products", "SELECT count(*) FROM public.products",
    "SELECT CASE WHEN s.n_live_tup > 0 THEN s.n_live_tup WHEN c.reltuples >= 0 THEN "
    "c.reltuples::int8 END FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
    "c.relnamespace LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid "
    "WHERE n.nspname = 'public' AND c.relname = 'products'"};
const CountedTable kCountedSales{
    "sales", "SELECT count(*) FROM public.sales",
    "SELECT CASE WHEN s.n_live_tup > 0 THEN s.n_live_tup WHEN c.reltuples >= 0 THEN "
    "c.reltuples::int8 END FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = "
    "c.relnamespace LEFT JOIN pg_catalog.pg_stat_all_tables s ON s.relid = c.oid "
    "WHERE n.nspname = 'public' AND c.relname = 'sales'"};

bool RowCount::too_few() const {
  return rows && static_cast<double>(*rows) < kSeededRowsMin * static_cast<double>(seeded);
}

std::string RowCount::text() const {
  if (!rows) return fmt::format("{}: could not be counted: {}", table, problem);
  auto out = fmt::format("{} {}{}", format_count(*rows), table, estimated ? " (estimated)" : "");
  if (*rows > seeded) {
    out += fmt::format(": {} of the seed and {} that were added since", format_count(seeded),
                       format_count(*rows - seeded));
  } else if (*rows < seeded) {
    out += fmt::format(": the seed put {} there", format_count(seeded));
  }
  return out;
}

std::vector<RowCount> count_dataset(const pg::Conninfo& where, const DatasetShape& shape,
                                    std::chrono::milliseconds limit) {
  return {count_table(where, kCountedProducts, shape.products, limit),
          count_table(where, kCountedSales, shape.sales, limit)};
}

}  // namespace pantryd::loadgen
