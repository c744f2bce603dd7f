// One connection to a server, over non-blocking libpq: a synchronous face in which every call has
// a deadline, and a small asynchronous one for the load generator's reactor.
//
// A Connection belongs to one thread at a time. After an error it is either idle and usable again
// or broken(): there is no third state. The deadline of connect() covers name resolution, TCP, TLS
// and authentication; that of a statement covers sending, waiting, receiving, and what is left of
// it (at least kCancelBudget) the cancellation.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"
#include "pg/conninfo.h"
#include "pg/error.h"
#include "pg/result.h"

struct pg_conn;

namespace pantryd::pg {

/// What a timed-out statement may still cost: cancel request, drain, then close.
inline constexpr std::chrono::milliseconds kCancelBudget{2000};

struct ConnectOptions {
  std::string application_name = "pantryd";
  /// Sent as "-c name=value" with the start-up packet, e.g. {"lock_timeout", "100ms"}.
  std::vector<std::pair<std::string, std::string>> settings;
  /// When requested, every wait of this connection ends with Failure::stopped.
  const StopFlag* stop = nullptr;
};

class Connection {
 public:
  /// Throws PgError(unreachable, refused, too_many, starting, stopped).
  [[nodiscard]] static Connection connect(const Conninfo& where, Deadline deadline,
                                          const ConnectOptions& options = {});
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// One statement, parameters bound. Throws PgError(statement, timeout, lost, stopped).
  Result exec(const std::string& sql, const Params& params, Deadline deadline);
  Result exec(const std::string& sql, Deadline deadline) { return exec(sql, Params(), deadline); }
  /// Several statements in one message and so in one implicit transaction, unless they say
  /// otherwise. The result of the last one.
  Result exec_script(const std::string& sql, Deadline deadline);
  void prepare(const std::string& name, const std::string& sql, Deadline deadline);
  Result exec_prepared(const std::string& name, const Params& params, Deadline deadline);

  /// COPY ... FROM STDIN: begin with the statement, then put, then end. An exception between
  /// begin and end leaves the connection to copy_abort().
  void copy_begin(const std::string& sql, Deadline deadline);
  void copy_put(std::span<const char> data, Deadline deadline);
  std::int64_t copy_end(Deadline deadline);  ///< rows copied
  void copy_abort(const std::string& reason, Deadline deadline) noexcept;

  /// Rolls back an open transaction and proves that the server answers. False: close it.
  [[nodiscard]] bool make_idle(Deadline deadline) noexcept;

  /// What ends its waits from now on, in place of ConnectOptions::stop. Null: only deadlines do.
  void stop_on(const StopFlag* stop);

  [[nodiscard]] bool broken() const;
  /// True when no transaction is open and no statement runs.
  [[nodiscard]] bool idle() const;
  [[nodiscard]] int server_version() const;  ///< such as 150018 or 170002
  [[nodiscard]] int backend_pid() const;
  [[nodiscard]] const Conninfo& conninfo() const;
  /// NOTICE and WARNING texts since the last call, the newest 100.
  [[nodiscard]] std::vector<std::string> take_notices();
  [[nodiscard]] std::string quote_identifier(const std::string& name) const;

  /// The asynchronous face. send_* queue and flush what they can; then wait for socket() to be
  /// readable (writable too while !flushed()), call consume(), and take results until nullopt.
  /// These throw PgError(lost) only.
  void send(const std::string& sql, const Params& params);
  void send_prepare(const std::string& name, const std::string& sql);
  void send_prepared(const std::string& name, const Params& params);
  [[nodiscard]] bool flush();                         ///< true: all is with the kernel
  void consume();                                     ///< reads what has arrived
  [[nodiscard]] bool busy() const;                    ///< true: take_result() would block
  [[nodiscard]] std::optional<Result> take_result();  ///< nullopt: the statement is over
  [[nodiscard]] int socket() const;
  /// For pipeline mode and what else the reactor needs; not for anybody else.
  [[nodiscard]] pg_conn* native() const;

 private:
  struct State;
  explicit Connection(std::unique_ptr<State> state);
  Result finish(Deadline deadline, std::string_view what);
  void wait_until_flushed(Deadline deadline);
  bool cancel_and_drain(Deadline deadline) noexcept;
  [[noreturn]] void fail_lost(std::string_view what);

  std::unique_ptr<State> state_;
};

}  // namespace pantryd::pg
