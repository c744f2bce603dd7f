// One connection as the reactor sees it: send a batch of prepared statements, receive until all
// of its replies are there. Never blocks. In faithful mode a batch is one statement; in pipelined
// mode it is as many as need not wait for each other, in one round trip (libpq pipeline mode).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loadgen/drive/binding.h"
#include "pool/pool.h"

struct pg_conn;
struct pg_result;

namespace pantryd::loadgen {

/// The answer to one statement, as libpq made it: nothing of it is copied unless asked for.
class Reply {
 public:
  explicit Reply(pg_result* owned) : raw_(owned) {}
  [[nodiscard]] bool failed() const;
  [[nodiscard]] std::int64_t rows() const;  ///< returned; else those that the command touched
  /// The first row's value, or null when there is no row, no such column, or NULL in it. `hint` is
  /// the column's place in the last answer, and is set anew when it is another now.
  [[nodiscard]] const char* first(const std::string& column, int& hint) const;
  [[nodiscard]] std::string sqlstate() const;
  [[nodiscard]] std::string error_message() const;  ///< primary message, one line
  [[nodiscard]] bool plan_is_stale() const;

 private:
  struct Clear {
    void operator()(pg_result* raw) const;
  };
  std::unique_ptr<pg_result, Clear> raw_;
};

/// Of every statement of the workload, in order: the types of its parameters.
using StatementTypes = std::vector<std::vector<TypeOid>>;

class Session {
 public:
  /// Takes an idle connection on which every statement is prepared.
  Session(Lease lease, std::shared_ptr<const StatementTypes> types, bool pipelined);
  ~Session();
  Session(Session&&) noexcept = default;
  Session& operator=(Session&&) noexcept = default;

  /// The server's, when this session was prepared.
  [[nodiscard]] const std::vector<TypeOid>& types_of(int statement) const {
    return (*types_)[static_cast<std::size_t>(statement)];
  }
  /// Queues one statement of the batch. Throws PgError(lost).
  void add(const char* statement, const Binding& params);
  /// Queues "ROLLBACK" as the batch. Throws PgError(lost).
  void add_rollback();
  /// Ends the batch and sends what the kernel takes. True: all is sent; else call flush() when
  /// the socket is writable. Throws PgError(lost).
  [[nodiscard]] bool send();
  [[nodiscard]] bool flush();
  /// Reads what has arrived and appends the finished replies in order; in pipelined mode
  /// statements after a failed one have no reply. True: the batch is over. Throws PgError(lost).
  [[nodiscard]] bool receive(std::vector<Reply>& replies);

  [[nodiscard]] bool in_transaction() const;  ///< open or failed
  [[nodiscard]] int socket() const { return lease_->socket(); }
  /// Cancels what runs (at most a second) and closes. Blocks: not for the reactor's thread.
  void cancel_and_close();
  /// Closes without a word to the server, so that the pool does not use it again.
  void close();

 private:
  void read_pipelined(std::vector<Reply>& replies, bool& over);
  [[noreturn]] void fail_lost() const;

  Lease lease_;
  std::shared_ptr<const StatementTypes> types_;
  pg_conn* connection_ = nullptr;  ///< the lease's; what goes over it is not seen by the pool,
                                   ///< which is why close() never gives it back
  bool pipelined_ = false;
  int expected_ = 0;  ///< statements of the batch whose end has not been read yet
};

}  // namespace pantryd::loadgen
