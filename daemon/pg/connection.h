// One connection to a server, over non-blocking libpq: a synchronous interface in which every call
// has a deadline, and a small asynchronous one for the load generator's reactor.
//
// A Connection belongs to one thread at a time. After an error it is either idle and usable again
// or broken(). The deadline of connect() covers name resolution, TCP, TLS and authentication; that
// of a statement covers sending, waiting and receiving; a cancellation has kCancelBudget.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "pg/connect_options.h"
#include "pg/conninfo.h"
#include "pg/copied_row.h"
#include "pg/error.h"
#include "pg/result.h"
#include "pg/statement_slot.h"

struct pg_conn;

namespace pantryd::pg {

struct CachedStatement;

class Connection {
 public:
  /// Throws PgError, also that of the statement that applies options.settings.
  [[nodiscard]] static Connection connect(const Conninfo& where, Deadline deadline,
                                          const ConnectOptions& options = {});
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;
  ~Connection();

  /// Throws PgError(statement, timeout, lost, stopped).
  Result exec(const std::string& sql, const Params& params, Deadline deadline);
  Result exec(const std::string& sql, Deadline deadline) { return exec(sql, Params(), deadline); }
  /// Several statements in one message and implicit transaction. Returns the last result.
  Result exec_script(const std::string& sql, Deadline deadline);
  void prepare(const std::string& name, const std::string& sql, Deadline deadline);
  /// No rows, but the columns (Result::columns()).
  Result describe_prepared(const std::string& name, Deadline deadline);
  Result exec_prepared(const std::string& name, const Params& params, Deadline deadline);
  /// As exec(), but prepared at its first use in this session and known from then on. Prepares
  /// again, and retries once, when its tables changed (0A000) or the server lost it (26000);
  /// inside a transaction block these are the caller's errors, and a retry of the whole works.
  Result exec_cached(const std::string& sql, const Params& params, Deadline deadline);
  Result exec_cached(const std::string& sql, Deadline deadline) {
    return exec_cached(sql, Params(), deadline);
  }

  /// COPY ... FROM STDIN: begin, put, end. After an exception between them, copy_abort().
  void copy_begin(const std::string& sql, Deadline deadline);
  void copy_put(std::span<const char> data, Deadline deadline);
  std::int64_t copy_end(Deadline deadline);  ///< rows copied
  void copy_abort(const std::string& reason, Deadline deadline) noexcept;
  /// COPY ... TO STDOUT in text format. More rows than rows_max: PgError(statement, 54000).
  std::vector<CopiedRow> copy_out(const std::string& sql, std::size_t rows_max, Deadline deadline);

  /// Cancels what runs, rolls back what is open, restores the session (pg/session_policy.h) and
  /// drops notifications, in one round trip or none. False: close it. Then it is lost, or holds
  /// what no reset undoes, such as a loaded library.
  [[nodiscard]] bool make_idle(Deadline deadline, Reset reset = Reset::never) noexcept;
  [[nodiscard]] bool session_changed() const;  ///< Reset::tracked would restore it
  /// Whether the server still is what target_session_attrs asked for, by what it reported with its
  /// last answer; ask after make_idle(), since a borrower's SET of default_transaction_read_only
  /// counts. True for prefer-standby, servers before 14 and a broken connection.
  [[nodiscard]] bool role_still_wanted() const;
  /// What ran last, for other threads; it outlives the connection.
  [[nodiscard]] std::shared_ptr<const StatementSlot> statement_slot() const;

  /// What ends its waits from now on, in place of ConnectOptions::stop. Null: only deadlines do.
  void stop_on(const StopFlag* stop);
  [[nodiscard]] bool broken() const;
  [[nodiscard]] bool idle() const;           ///< no transaction is open and no statement runs
  [[nodiscard]] int server_version() const;  ///< such as 150018 or 170002
  [[nodiscard]] int backend_pid() const;
  [[nodiscard]] std::string reported(const char* parameter) const;  ///< PQparameterStatus, or ""
  [[nodiscard]] const Conninfo& conninfo() const;
  /// NOTICE and WARNING since the last call, the newest 100.
  [[nodiscard]] std::vector<std::string> take_notices();

  /// The asynchronous face: send_*, wait for socket() to be readable (writable too while
  /// !flush()), consume(), and take results until nullopt. These throw PgError(lost) only.
  void send(const std::string& sql, const Params& params);
  void send_prepare(const std::string& name, const std::string& sql);
  void send_prepared(const std::string& name, const Params& params);
  [[nodiscard]] bool flush();                         ///< true: all is with the kernel
  void consume();                                     ///< reads what has arrived
  [[nodiscard]] bool busy() const;                    ///< true: take_result() would block
  [[nodiscard]] std::optional<Result> take_result();  ///< nullopt: the statement is over
  [[nodiscard]] int socket() const;
  /// For the reactor alone. What is sent and read by it is not seen by make_idle().
  [[nodiscard]] pg_conn* native() const;

 private:
  struct State;
  struct Outcome;
  explicit Connection(std::unique_ptr<State> state);
  void apply(const ConnectOptions& options, Deadline deadline);
  Outcome complete(Deadline deadline, std::string_view what);
  Result finish(Deadline deadline, std::string_view what);
  Outcome run_quietly(const std::string& sql, Deadline deadline);
  bool names_work(Deadline deadline);
  bool make_known(CachedStatement& statement, Deadline deadline);
  void deallocate(const std::vector<std::string>& names, Deadline deadline);
  bool restore(bool washes, Deadline deadline);
  void wait_until_flushed(Deadline deadline);
  bool cancel_and_drain(Deadline deadline) noexcept;
  bool drop_copied(Deadline deadline);
  [[noreturn]] void raise(const Result& failed, std::string_view what);
  [[noreturn]] void fail_lost(std::string_view what);

  std::unique_ptr<State> state_;
};

}  // namespace pantryd::pg
