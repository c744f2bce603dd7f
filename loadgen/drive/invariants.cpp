// A connection that failed is not asked again: the readings after it have its error.
#include "loadgen/drive/invariants.h"

#include <fmt/format.h>

#include "pg/error.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kLeaseLimit = std::chrono::seconds(15);
constexpr auto kFrameLimit = std::chrono::seconds(10);
constexpr std::size_t kReadingMax = 10'000;
constexpr std::uint32_t kBoolType = 16;  // pg_type.dat: these numbers are fixed for good
constexpr std::uint32_t kNumericType = 1700;

/// 10.50 and 10.5 are the same number, and which one a sum returns depends on the rows that it met.
std::string plain_numeric(std::string text) {
  if (text.find('.') == std::string::npos || text.find_first_of("eE") != std::string::npos) {
    return text;
  }
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string shown_value(const std::optional<std::string>& value, std::uint32_t type) {
  if (!value) return "NULL";
  if (type != kBoolType) return *value;
  return *value == "t" ? "true" : "false";
}

InvariantReading read_one(pg::Connection& connection, const Invariant& invariant) {
  connection.exec("BEGIN TRANSACTION READ ONLY", Deadline::in(kFrameLimit));
  InvariantReading out;
  try {
    out = reading_of(connection.exec(invariant.sql, Deadline::in(invariant.limit)));
  } catch (const pg::PgError& error) {
    if (connection.broken()) throw;
    out = unread_invariant(error.what());
  }
  if (!connection.idle()) connection.exec("ROLLBACK", Deadline::in(kFrameLimit));
  return out;
}

}  // namespace

InvariantReading reading_of(const pg::Result& rows) {
  if (rows.rows() != 1) {
    return unread_invariant(fmt::format("it returned {} rows in place of one", rows.rows()));
  }
  if (rows.columns() == 0) return unread_invariant("it returned a row without columns");
  InvariantReading out;
  std::size_t length = 0;
  for (int i = 0; i < rows.columns(); ++i) {
    const auto type = rows.column_type(i);
    auto value = rows.maybe_text(0, i);
    length += value ? value->size() : 0;
    if (length > kReadingMax) {
      return unread_invariant(fmt::format("its row is longer than {} bytes", kReadingMax));
    }
    if (value && type == kNumericType) value = plain_numeric(*value);
    out.shown += fmt::format("{}{}", i > 0 ? ", " : "", shown_value(value, type));
    out.values.push_back(std::move(value));
  }
  out.is_boolean = rows.columns() == 1 && rows.column_type(0) == kBoolType;
  return out;
}

std::vector<InvariantReading> read_invariants(Pool& pool, const std::vector<Invariant>& invariants,
                                              const StopFlag* stop) {
  std::vector<InvariantReading> out;
  std::string lost;
  for (const auto& each : invariants) {
    if (!lost.empty()) {
      out.push_back(unread_invariant(lost));
      continue;
    }
    try {
      auto lease = pool.acquire(Deadline::in(kLeaseLimit), stop);
      out.push_back(read_one(*lease, each));
    } catch (const Error& error) {
      lost = error.what();
      out.push_back(unread_invariant(lost));
    }
  }
  return out;
}

}  // namespace pantryd::loadgen
