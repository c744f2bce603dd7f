// Prepared statements over one connection for callers with an event loop of their own: queue a
// batch, send it, receive until all replies are there. Nothing here blocks or allocates for each
// statement, but for what libpq does itself. A batch is one statement, or, with libpq's pipeline
// mode, as many as the caller queues, in one round trip.
//
// While a Pipeline is in use, its connection is not used in any other way, and the Connection does
// not see what passes. One that was pipelined is closed afterwards, not used again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"

struct pg_conn;
struct pg_result;

namespace pantryd::pg {

class Connection;

/// The answer to one statement, as libpq made it: nothing of it is copied unless asked for.
class Reply {
 public:
  explicit Reply(pg_result* owned) : raw_(owned) {}
  [[nodiscard]] bool failed() const;
  [[nodiscard]] std::int64_t rows() const;  ///< returned; else those that the command touched
  /// The first row's value, or null when there is no row, no such column, or NULL in it. `hint` is
  /// the column's place in the last answer, and is set again when the place is another one now.
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

/// The parameters of one statement, as PQsendQueryPrepared takes them: owned by the caller until
/// add() returns.
struct BoundValues {
  int count = 0;
  const char* const* values = nullptr;
  const int* lengths = nullptr;
  const int* formats = nullptr;
};

/// All that can throw throws PgError(lost).
class Pipeline {
 public:
  /// `connection` is idle and outlives it.
  Pipeline(Connection& connection, bool pipelined);

  /// Queues one statement of the batch. Not pipelined: a batch has exactly one.
  void add(const char* prepared, const BoundValues& values);
  /// Queues one statement without parameters that is not prepared.
  void add_sql(const char* sql);
  /// Ends the batch and sends what the kernel takes. True: all is sent; else call flush() when
  /// the socket is writable.
  [[nodiscard]] bool send();
  [[nodiscard]] bool flush();
  /// Reads what has arrived and appends the finished replies in order; when pipelined, statements
  /// after a failed one have no reply. True: the batch is over.
  [[nodiscard]] bool receive(std::vector<Reply>& replies);

  [[nodiscard]] bool in_transaction() const;                   ///< open or failed
  [[nodiscard]] bool in_flight() const { return in_flight_; }  ///< a batch that is not over
  [[nodiscard]] bool pipelined() const { return pipelined_; }

 private:
  void read_pipelined(std::vector<Reply>& replies, bool& over);
  [[noreturn]] void fail_lost() const;

  pg_conn* connection_;
  bool pipelined_;
  bool in_flight_ = false;  ///< from send() to the end of the batch
  int expected_ = 0;        ///< statements of the batch whose end has not been read yet
};

/// Asks the server to cancel what runs on `connection`. Blocks until it was asked, or `deadline`.
void request_cancel(const Connection& connection, Deadline deadline);

}  // namespace pantryd::pg
