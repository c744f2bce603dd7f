// What can go wrong with a server, typed, with the SQLSTATE that the server gave.
#pragma once

#include <string>

#include "base/error.h"

namespace pantryd::pg {

enum class Failure {
  unreachable,  ///< no answer: refused, no route, DNS, or the connect deadline
  refused,      ///< the server answered and will not have us: password, role, database, pg_hba
  too_many,     ///< the server has no connection slot left (53300)
  starting,     ///< the server starts up or shuts down (57P03)
  lost,         ///< the connection broke after it stood
  timeout,      ///< our deadline; the statement was cancelled or the connection closed
  stopped,      ///< a stop request interrupted the wait
  statement,    ///< the server refused the statement: see sqlstate()
};

/// "unreachable", "refused", ...: stable, used as a metric label.
[[nodiscard]] std::string_view to_string(Failure failure);

class PgError : public Error {
 public:
  PgError(Failure failure, std::string sqlstate, const std::string& message, std::string hint = {});

  [[nodiscard]] Failure failure() const noexcept { return failure_; }
  /// Five characters, or empty when the server did not give one.
  [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }

 private:
  Failure failure_;
  std::string sqlstate_;
};

}  // namespace pantryd::pg
