// The names of the enumerations, as metrics and messages show them.
#include "pool/policy.h"

namespace pantryd::pool {

std::string_view to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::full:
      return "full";
    case Refusal::queue_full:
      return "queue_full";
    case Refusal::server_down:
      return "server_down";
    case Refusal::authentication:
      return "authentication";
    case Refusal::too_many_clients:
      return "too_many_clients";
    case Refusal::deadline:
      return "deadline";
    case Refusal::shutting_down:
      return "shutting_down";
    case Refusal::stopped:
      return "stopped";
  }
  return "unknown";
}

std::string_view to_string(CloseCause cause) {
  switch (cause) {
    case CloseCause::idle:
      return "idle";
    case CloseCause::lifetime:
      return "lifetime";
    case CloseCause::broken:
      return "broken";
    case CloseCause::surplus:
      return "surplus";
    case CloseCause::changed:
      return "changed";
    case CloseCause::shutdown:
      return "shutdown";
  }
  return "unknown";
}

std::string_view to_string(ConnectFailure failure) {
  switch (failure) {
    case ConnectFailure::unreachable:
      return "unreachable";
    case ConnectFailure::authentication:
      return "authentication";
    case ConnectFailure::too_many_clients:
      return "too_many_clients";
  }
  return "unknown";
}

std::string_view to_string(Breaker breaker) {
  switch (breaker) {
    case Breaker::closed:
      return "closed";
    case Breaker::open:
      return "open";
    case Breaker::half_open:
      return "half_open";
  }
  return "unknown";
}

}  // namespace pantryd::pool
