// The settings of a session that watches.
#include "pg/connect_options.h"

#include <fmt/format.h>

namespace pantryd::pg {
namespace {

/// Above the time limit of any look.
constexpr const char* kServerLimit = "60s";

}  // namespace

ConnectOptions watching_session(std::string application_name,
                                std::chrono::milliseconds lock_timeout, const StopFlag* stop) {
  ConnectOptions out;
  out.application_name = std::move(application_name);
  out.stop = stop;
  out.watching = true;
  out.settings = {{"lock_timeout", fmt::format("{}ms", lock_timeout.count())},
                  {"statement_timeout", kServerLimit},
                  {"idle_in_transaction_session_timeout", "10s"},
                  {"default_transaction_read_only", "on"},
                  // A policy of a table's owner is an error and not run.
                  {"row_security", "off"}};
  return out;
}

}  // namespace pantryd::pg
