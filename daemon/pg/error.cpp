// Maps the kind of a failure to its exit code and its name.
#include "pg/error.h"

namespace pantryd::pg {
namespace {

ExitCode exit_code_of(Failure failure) {
  switch (failure) {
    case Failure::unreachable:
    case Failure::refused:
    case Failure::too_many:
    case Failure::starting:
    case Failure::lost:
      return ExitCode::unreachable;
    case Failure::timeout:
    case Failure::stopped:
    case Failure::statement:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

}  // namespace

std::string_view to_string(Failure failure) {
  switch (failure) {
    case Failure::unreachable:
      return "unreachable";
    case Failure::refused:
      return "refused";
    case Failure::too_many:
      return "too_many";
    case Failure::starting:
      return "starting";
    case Failure::lost:
      return "lost";
    case Failure::timeout:
      return "timeout";
    case Failure::stopped:
      return "stopped";
    case Failure::statement:
      return "statement";
  }
  return "unknown";
}

PgError::PgError(Failure failure, std::string sqlstate, const std::string& message,
                 std::string hint)
    : Error(exit_code_of(failure), message, std::move(hint)),
      failure_(failure),
      sqlstate_(std::move(sqlstate)) {}

}  // namespace pantryd::pg
