// Makes one connection and turns whatever was thrown into a Failed, and a refusal into its error.
#include "pool/internal/attempt.h"

#include <fmt/format.h>

namespace pantryd::pool {
namespace {

ConnectFailure kind_of(pg::Failure failure) {
  if (failure == pg::Failure::refused) return ConnectFailure::authentication;
  if (failure == pg::Failure::too_many) return ConnectFailure::too_many_clients;
  return ConnectFailure::unreachable;
}

}  // namespace

std::unique_ptr<pg::Connection> try_connect(const Login& login, Deadline deadline,
                                            const pg::ConnectOptions& options, Failed& failed) {
  try {
    return std::make_unique<pg::Connection>(pg::Connection::connect(login(), deadline, options));
  } catch (const pg::PgError& error) {
    failed = {kind_of(error.failure()), error.what(), error.hint()};
  } catch (const Error& error) {
    // The login itself, such as a password file that cannot be read.
    failed = {ConnectFailure::authentication, error.what(), error.hint()};
  } catch (const std::exception& error) {
    failed = {ConnectFailure::unreachable, error.what(), ""};
  }
  return nullptr;
}

PoolError refusal_error(Refusal refusal, const Numbers& now, std::int32_t size_max,
                        const Failed& last_failed) {
  const auto says = [&](ExitCode code, const std::string& what, std::string hint = {}) {
    return PoolError(
        refusal, code,
        fmt::format("{} (pool: {} in use, {} idle, {} connecting, {} waiting, limit {})", what,
                    now.in_use, now.idle, now.connecting, now.waiting, size_max),
        std::move(hint));
  };
  switch (refusal) {
    case Refusal::server_down:
    case Refusal::authentication:
    case Refusal::too_many_clients:
      return says(ExitCode::unreachable, last_failed.message, last_failed.hint);
    case Refusal::deadline:
      return says(ExitCode::unreachable, "no connection was made in time",
                  "The server is slow to accept connections, or the deadline is short.");
    case Refusal::full:
      return says(ExitCode::failed, "no connection became free in time",
                  "Find what holds the connections so long, or raise pool.max.");
    case Refusal::queue_full:
      return says(ExitCode::failed, "too many callers wait for a connection",
                  "More arrives than the connections can carry: shed load, or raise pool.max.");
    case Refusal::stopped:
      return says(ExitCode::failed, "interrupted");
    case Refusal::shutting_down:
      break;
  }
  return says(ExitCode::failed, "the pool shuts down");
}

}  // namespace pantryd::pool
