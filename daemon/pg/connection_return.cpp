// What happens to a connection between two borrowers.
#include <chrono>

#include "pg/internal/connection_state.h"

namespace pantryd::pg {
namespace {

constexpr auto kDrainMin = std::chrono::milliseconds(100);
/// More of them than this, and the connection is closed: that frees them all at once.
constexpr int kNotificationsMax = 10'000;
constexpr int kServerThatReportsItsRole = 140000;

// DISCARD ALL without DEALLOCATE ALL and DISCARD PLANS; that one changes nothing that a borrower
// could see. RESET ALL leaves out the role, and SET SESSION AUTHORIZATION sets it to none instead
// of what it was at the connect. All of it is one transaction: it happens or it does not.
constexpr const char* kReset =
    "CLOSE ALL;SET SESSION AUTHORIZATION DEFAULT;RESET ROLE;RESET ALL;UNLISTEN *;"
    "SELECT pg_catalog.pg_advisory_unlock_all();DISCARD TEMP;DISCARD SEQUENCES;";

bool drop_notifications(PGconn* session) {
  for (int i = 0; i < kNotificationsMax; ++i) {
    PGnotify* each = PQnotifies(session);
    if (each == nullptr) return true;
    PQfreemem(each);
  }
  return false;
}

bool reported_on(const PGconn* session, const char* parameter) {
  const char* value = PQparameterStatus(session, parameter);
  return value != nullptr && std::string_view(value) == "on";
}

}  // namespace

bool Connection::make_idle(Deadline deadline, Reset reset) noexcept {
  if (broken()) return false;
  try {
    PGconn* const session = state_->session;
    if (PQpipelineStatus(session) != PQ_PIPELINE_OFF && PQexitPipelineMode(session) == 0) {
      return false;
    }
    if (PQtransactionStatus(session) == PQTRANS_ACTIVE &&
        !cancel_and_drain(deadline.within(kCancelBudget + kDrainMin))) {
      return false;
    }
    if (PQtransactionStatus(session) == PQTRANS_UNKNOWN) return false;
    // Only now, since what was drained may have changed it.
    const bool lasting = state_->mark == Mark::lasting;
    if (reset != Reset::never && lasting) return false;
    const bool changed = state_->mark == Mark::changed || state_->others_prepared;
    if (!restore(reset == Reset::always || (reset == Reset::tracked && changed), deadline)) {
      return false;
    }
    state_->slot->clear();
    return drop_notifications(session) && idle();
  } catch (...) {
  }
  return false;
}

bool Connection::restore(bool washes, Deadline deadline) {
  std::string script;
  if (!idle()) script += "ROLLBACK;";
  if (washes) script += kReset;
  if (washes && !state_->settings_sql.empty()) script += state_->settings_sql + ";";
  if (washes && state_->others_prepared) script += "DEALLOCATE ALL;";
  if (script.empty()) return true;
  if (run_quietly(script, deadline).failed || !idle()) return false;
  if (washes) state_->mark = Mark::clean;
  return true;
}

bool Connection::session_changed() const {
  return state_->mark != Mark::clean;
}

bool Connection::role_still_wanted() const {
  if (broken() || state_->version < kServerThatReportsItsRole) return true;
  const auto& wanted = state_->role_wanted;
  if (wanted.empty() || wanted == "any" || wanted == "prefer-standby") return true;
  if (PQparameterStatus(state_->session, "in_hot_standby") == nullptr) return true;
  const bool standby = reported_on(state_->session, "in_hot_standby");
  if (wanted == "primary") return !standby;
  if (wanted == "standby") return standby;
  const bool read_only = standby || reported_on(state_->session, "default_transaction_read_only");
  return wanted == "read-only" ? read_only : !read_only;
}

std::shared_ptr<const StatementSlot> Connection::statement_slot() const {
  return state_->slot;
}

}  // namespace pantryd::pg
