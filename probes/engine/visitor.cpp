// Invariant: facts_, where there are any, were read on connection_ or on one to the same database.
#include "probes/engine/visitor.h"

#include <fnmatch.h>

#include <algorithm>

namespace pantryd::probes {
namespace {

bool fits_one(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

}  // namespace

std::vector<std::string> databases_to_visit(pg::Connection& connection,
                                            const std::vector<std::string>& include,
                                            const std::vector<std::string>& exclude,
                                            std::int32_t limit, Deadline deadline) {
  const auto rows = connection.exec(
      "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate "
      "AND has_database_privilege(oid, 'CONNECT') ORDER BY datname",
      deadline);
  std::vector<std::string> out;
  for (int row = 0; row < rows.rows(); ++row) {
    auto name = std::string(rows.text(row, 0));
    if (static_cast<std::int32_t>(out.size()) >= limit) break;
    if (fits_one(include, name) && !fits_one(exclude, name)) out.push_back(std::move(name));
  }
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

}  // namespace pantryd::probes
