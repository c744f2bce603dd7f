// Invariants: `session` is null exactly when the connection is broken. A statement that ended in an
// error has been read to its end, so the session is idle or in a failed transaction, never busy.
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <atomic>

#include "base/assert.h"
#include "base/units.h"
#include "base/wait.h"
#include "pg/internal/connect.h"
#include "pg/internal/connection_state.h"
#include "pg/own_session.h"
#include "pg/sqlstate.h"

namespace pantryd::pg {
namespace {

/// Cancels that hang while the network does leave room for names to be resolved.
constexpr int kCancelsMax = kBoundedMax * 3 / 4;

/// Also from the environment or a service file, which only libpq reads.
std::string role_wanted_of(const Conninfo& where, PGconn* session) {
  constexpr std::string_view kKeyword = "target_session_attrs";
  if (auto given = where.get(std::string(kKeyword)); !given.empty()) return given;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(PQconninfo(session),
                                                                             &PQconninfoFree);
  for (const auto* each = options.get(); each != nullptr && each->keyword != nullptr; ++each) {
    if (kKeyword == each->keyword && each->val != nullptr) return each->val;
  }
  return {};
}

}  // namespace

Connection::Connection(std::unique_ptr<State> state) : state_(std::move(state)) {}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;
Connection::~Connection() = default;

namespace {

std::string literal(PGconn* session, const std::string& text) {
  const std::unique_ptr<char, decltype(&PQfreemem)> out(
      PQescapeLiteral(session, text.data(), text.size()), &PQfreemem);
  if (!out) throw Error(ExitCode::usage, "a setting of the session is not text");
  return out.get();
}

/// {0}: the settings, each as set_config(). Sets them only where the process that the start-up told
/// of answers; behind a pooler nothing is set yet.
constexpr const char* kSetWhereDirect =
    "SELECT pg_catalog.pg_backend_pid(), CASE WHEN pg_catalog.pg_backend_pid() "
    "OPERATOR(pg_catalog.=) {1} THEN ARRAY[{0}] END";

std::string set_configs(PGconn* session, const ConnectOptions::Settings& settings) {
  std::string out;
  for (const auto& [name, value] : settings) {
    out += fmt::format("{}pg_catalog.set_config({}, {}, false)", out.empty() ? "" : ", ",
                       literal(session, name), literal(session, value));
  }
  return out;
}

}  // namespace

void Connection::apply(const ConnectOptions& options, Deadline deadline) {
  auto settings = options.settings;
  if (options.watching) {
    settings.insert(settings.begin(), kWatchingAtStart.begin(), kWatchingAtStart.end());
  }
  if (settings.empty()) return;
  const auto configs = set_configs(state_->session, settings);
  state_->settings_sql = "SELECT " + configs;
  if (!options.watching) {
    exec(state_->settings_sql, deadline);
  } else if (!state_->guarded_at_start ||
             exec(fmt::format(kSetWhereDirect, configs, state_->pid), deadline).i64(0, 0) !=
                 state_->pid) {
    const auto found = find_session(*this, deadline);
    if (!found.lent.empty()) {
      throw PgError(
          Failure::refused, "",
          fmt::format("{} is a connection pooler: {}", state_->where.display(), found.lent),
          "Name the server's own host and port: a session that watches keeps settings, "
          "and in a pool they would reach the application.");
    }
    // Not by a plain SELECT: default_transaction_isolation = serializable fails it on a standby.
    exec_script("BEGIN ISOLATION LEVEL READ COMMITTED;" + state_->settings_sql + ";COMMIT",
                deadline);
  }
  state_->mark = Mark::clean;  // it is how the session begins
  state_->slot->clear();
}

Connection Connection::connect(const Conninfo& where, Deadline deadline,
                               const ConnectOptions& options) {
  auto state = std::make_unique<State>(options);
  const auto opened = open_session(where, deadline, options);
  state->session = opened.session;
  state->guarded_at_start = opened.guarded;
  state->where = where;
  state->role_wanted = role_wanted_of(where, state->session);
  state->version = PQserverVersion(state->session);
  state->pid = PQbackendPID(state->session);
  PQsetNoticeReceiver(state->session, &State::on_notice, state.get());
  Connection out(std::move(state));
  out.apply(options, deadline);
  return out;
}

void Connection::fail_lost(std::string_view what) {
  std::string reason = "it was closed before";
  if (state_->session != nullptr) {
    reason = state_->where.mask(one_line(PQerrorMessage(state_->session)));
    state_->close();
  }
  throw PgError(Failure::lost, std::string(sqlstate::kConnectionFailure),
                fmt::format("the connection to {} was lost during {}: {}", state_->where.display(),
                            what, reason),
                "Look whether the server was restarted or the session was terminated.");
}

void Connection::wait_until_flushed(Deadline deadline) {
  for (;;) {
    const int left = PQflush(state_->session);
    if (left == 0) return;
    if (left < 0) fail_lost("a send");
    const auto ready =
        wait_ready(PQsocket(state_->session), POLLIN | POLLOUT, deadline, state_->stop);
    if (ready != Ready::yes) {
      // Half a message is with the server: nothing that follows would make sense to it.
      state_->close();
      const bool stopped = ready == Ready::stopped;
      throw PgError(stopped ? Failure::stopped : Failure::timeout, "",
                    stopped ? "interrupted while sending" : "the statement was not sent in time");
    }
    if (PQconsumeInput(state_->session) == 0) fail_lost("a send");
  }
}

bool Connection::cancel_and_drain(Deadline deadline) noexcept {
  try {
    const std::shared_ptr<PGcancel> cancel(PQgetCancel(state_->session), &PQfreeCancel);
    if (!cancel) return false;
    const auto sent = std::make_shared<std::atomic<bool>>(false);
    const auto work = [cancel, sent] {
      char reason[256] = {};
      *sent = PQcancel(cancel.get(), reason, sizeof reason) != 0;
    };
    if (run_bounded(work, deadline, nullptr, kCancelsMax) != Ready::yes) return false;
    if (!*sent) return false;  // the statement runs on: there is nothing to wait for
    for (;;) {
      while (PQisBusy(state_->session) != 0) {
        if (wait_ready(PQsocket(state_->session), POLLIN, deadline, nullptr) != Ready::yes) {
          return false;
        }
        if (PQconsumeInput(state_->session) == 0) return false;
      }
      PGresult* result = PQgetResult(state_->session);
      if (result == nullptr) return PQstatus(state_->session) == CONNECTION_OK;
      const auto status = PQresultStatus(result);
      state_->observe(result);
      PQclear(result);
      if (status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) return false;
      if (status == PGRES_COPY_OUT && !drop_copied(deadline)) return false;
    }
  } catch (...) {
    return false;
  }
}

Connection::Outcome Connection::complete(Deadline deadline, std::string_view what) {
  wait_until_flushed(deadline);
  Outcome out;
  for (;;) {
    while (PQisBusy(state_->session) != 0) {
      const auto ready = wait_ready(PQsocket(state_->session), POLLIN, deadline, state_->stop);
      if (ready == Ready::yes) {
        if (PQconsumeInput(state_->session) == 0) fail_lost(what);
        continue;
      }
      if (!cancel_and_drain(Deadline::in(kCancelBudget))) state_->close();
      const bool stopped = ready == Ready::stopped;
      throw PgError(stopped ? Failure::stopped : Failure::timeout,
                    std::string(sqlstate::kQueryCanceled),
                    fmt::format("{} on {} was {}", what, state_->where.display(),
                                stopped ? "interrupted" : "not done within its time limit"),
                    stopped ? "" : "Raise the limit, or look for what the server waits for.");
    }
    PGresult* raw = PQgetResult(state_->session);
    if (raw == nullptr) return out;
    Result result(raw);
    state_->observe(raw);
    if (result.failed() && !out.failed) out.failed = result;
    const auto status = PQresultStatus(raw);
    out.last = std::move(result);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) return out;
  }
}

Result Connection::finish(Deadline deadline, std::string_view what) {
  auto outcome = complete(deadline, what);
  if (outcome.failed) raise(*outcome.failed, what);
  return std::move(outcome.last);
}

void Connection::raise(const Result& failed, std::string_view what) {
  const auto code = failed.sqlstate();
  const auto message = state_->where.mask(failed.error_message());
  if (PQstatus(state_->session) == CONNECTION_BAD || sqlstate::ends_session(code)) {
    state_->close();
    throw PgError(Failure::lost, code.empty() ? std::string(sqlstate::kConnectionFailure) : code,
                  fmt::format("the connection to {} was lost during {}: {}",
                              state_->where.display(), what, message),
                  "Look whether the server was restarted or the session was terminated.");
  }
  PANTRYD_ASSERT_DEBUG(PQtransactionStatus(state_->session) != PQTRANS_ACTIVE);
  throw PgError(Failure::statement, code, fmt::format("{} failed: {} ({})", what, message, code),
                state_->where.mask(failed.error_hint()));
}

Result Connection::exec(const std::string& sql, const Params& params, Deadline deadline) {
  send(sql, params);
  return finish(deadline, "a statement");
}

Result Connection::exec_script(const std::string& sql, Deadline deadline) {
  if (broken()) fail_lost("a script");
  state_->note(sql);
  if (PQsendQuery(state_->session, sql.c_str()) == 0) fail_lost("a script");
  return finish(deadline, "a script");
}

void Connection::prepare(const std::string& name, const std::string& sql, Deadline deadline) {
  send_prepare(name, sql);
  finish(deadline, "a prepare");
}

Result Connection::describe_prepared(const std::string& name, Deadline deadline) {
  if (broken()) fail_lost("a describe");
  if (PQsendDescribePrepared(state_->session, name.c_str()) == 0) fail_lost("a describe");
  return finish(deadline, "a describe");
}

Result Connection::exec_prepared(const std::string& name, const Params& params, Deadline deadline) {
  send_prepared(name, params);
  return finish(deadline, "a statement");
}

void Connection::stop_on(const StopFlag* stop) {
  state_->stop = stop;
}

bool Connection::broken() const {
  return !state_ || state_->session == nullptr || PQstatus(state_->session) != CONNECTION_OK;
}

bool Connection::idle() const {
  return !broken() && PQtransactionStatus(state_->session) == PQTRANS_IDLE;
}

int Connection::server_version() const {
  return state_->version;
}
std::string Connection::reported(const char* parameter) const {
  const char* text = PQparameterStatus(native(), parameter);
  return text == nullptr ? "" : text;
}
int Connection::backend_pid() const {
  return state_->pid;
}
const Conninfo& Connection::conninfo() const {
  return state_->where;
}

std::vector<std::string> Connection::take_notices() {
  std::vector<std::string> out(state_->notices.begin(), state_->notices.end());
  state_->notices.clear();
  return out;
}

}  // namespace pantryd::pg
