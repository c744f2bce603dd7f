// One connection as the reactor sees it: send a batch of prepared statements, receive until all
// of its replies are there. Never blocks. In faithful mode a batch is one statement; in pipelined
// mode it is as many as need not wait for each other, in one round trip (libpq pipeline mode).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pool/pool.h"

namespace pantryd::loadgen {

class Session {
 public:
  /// Takes an idle connection on which every statement is prepared.
  Session(Lease lease, bool pipelined);
  ~Session();
  Session(Session&&) noexcept = default;
  Session& operator=(Session&&) noexcept = default;

  /// Queues one statement of the batch. Throws PgError(lost).
  void add(const std::string& statement, const pg::Params& params);
  /// Queues "ROLLBACK" as the batch. Throws PgError(lost).
  void add_rollback();
  /// Ends the batch and sends what the kernel takes. True: all is sent; else call flush() when
  /// the socket is writable. Throws PgError(lost).
  [[nodiscard]] bool send();
  [[nodiscard]] bool flush();
  /// Reads what has arrived and appends the finished replies in order; in pipelined mode
  /// statements after a failed one have no reply. True: the batch is over. Throws PgError(lost).
  [[nodiscard]] bool receive(std::vector<pg::Result>& replies);

  [[nodiscard]] bool in_transaction() const;  ///< open or failed
  [[nodiscard]] int socket() const { return lease_->socket(); }
  /// Cancels what runs (at most a second) and closes. Blocks: not for the reactor's thread.
  void cancel_and_close();
  /// Closes without a word to the server, so that the pool does not use it again.
  void close();

 private:
  void read_pipelined(std::vector<pg::Result>& replies, bool& over);

  Lease lease_;
  bool pipelined_ = false;
  int expected_ = 0;  ///< statements of the batch whose end has not been read yet
};

}  // namespace pantryd::loadgen
