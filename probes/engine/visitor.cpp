// Invariant: facts_, where there are any, were read on connection_ or on one to the same database.
#include "probes/engine/visitor.h"

#include <fnmatch.h>

#include <algorithm>

#include "base/error.h"
#include "probes/engine/relation_share.h"

namespace pantryd::probes {
namespace {

bool fits_one(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

}  // namespace

Databases databases_to_visit(pg::Connection& connection, const std::vector<std::string>& include,
                             const std::vector<std::string>& exclude, std::int32_t limit,
                             Deadline deadline) {
  // A connection limit of -2 marks a database of which DROP DATABASE was interrupted.
  const auto rows = connection.exec(
      "SELECT datname, datconnlimit = -2, has_database_privilege(oid, 'CONNECT') "
      "FROM pg_database WHERE datallowconn AND NOT datistemplate "
      "ORDER BY datname <> current_database(), datname",
      deadline);
  Databases out;
  for (int row = 0; row < rows.rows(); ++row) {
    auto name = std::string(rows.text(row, 0));
    if (!fits_one(include, name) || fits_one(exclude, name)) continue;
    if (rows.boolean(row, 1)) {
      ++out.counts.invalid;
    } else if (!rows.boolean(row, 2)) {
      ++out.counts.denied;
    } else if (static_cast<std::int32_t>(out.names.size()) >= limit) {
      ++out.counts.over_limit;
    } else {
      out.names.push_back(std::move(name));
    }
  }
  out.counts.visited = static_cast<std::int64_t>(out.names.size());
  return out;
}

Visitor::Visitor(Login login, pg::ConnectOptions options, std::chrono::milliseconds connect_timeout,
                 std::chrono::milliseconds facts_timeout)
    : login_(std::move(login)),
      options_(std::move(options)),
      connect_timeout_(connect_timeout),
      facts_timeout_(facts_timeout) {}

pg::Connection& Visitor::visit(const std::string& database) {
  const auto now = SteadyClock::now();
  if (!connection_ || connection_->broken() || database_ != database) {
    connection_.reset();  // first: a visit never holds two
    const auto where = login_().with("dbname", database);
    connection_ = std::make_unique<pg::Connection>(
        pg::Connection::connect(where, Deadline::in(connect_timeout_), options_));
    database_ = database;
    facts_.reset();
  }
  if (!facts_ || now - facts_at_ > facts_timeout_) {
    facts_ = read_facts(*connection_, Deadline::in(facts_timeout_));
    facts_at_ = now;
  }
  return *connection_;
}

std::int64_t Visitor::count_relations(const std::string& database) {
  const auto rows = visit(database).exec(
      "SELECT max(n) FROM (SELECT count(*) AS n FROM pg_class "
      "WHERE relpersistence <> 't' AND oid >= 16384 AND relkind IN ('r', 'm', 'p', 'i', 'S') "
      "GROUP BY relkind = 'i', relkind = 'S') AS kinds",
      Deadline::in(facts_timeout_));
  return rows.maybe_i64(0, 0).value_or(0);
}

void expect_relations(RelationShare& share, Visitor& visitor, const std::vector<std::string>& names,
                      const StopFlag& stop) {
  share.keep(names);
  if (names.size() < 2) return;
  for (const auto& name : names) {
    if (share.knows(name) || stop.requested()) continue;
    try {
      share.expect(name, visitor.count_relations(name));
    } catch (const Error&) {
      visitor.leave();
      share.expect(name, 0);  // its probes tell why, and what it needs once they succeed
    }
  }
}

}  // namespace pantryd::probes
