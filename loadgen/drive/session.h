// One connection as the reactor sees it: a lease of the pool on which every statement is prepared,
// and the batches that go over it. Never blocks, but for cancel_and_close().
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "loadgen/drive/binding.h"
#include "pg/pipeline.h"
#include "pool/pool.h"

namespace pantryd::loadgen {

/// Of every statement of the workload, in order: the types of its parameters.
using StatementTypes = std::vector<std::vector<TypeOid>>;

class Session {
 public:
  /// Takes an idle connection on which every statement is prepared. In faithful mode a batch is one
  /// statement; pipelined, as many as need not wait for each other.
  Session(Lease lease, std::shared_ptr<const StatementTypes> types, bool pipelined);
  ~Session();
  Session(Session&&) noexcept = default;
  Session& operator=(Session&&) noexcept = default;

  /// The server's, when this session was prepared.
  [[nodiscard]] const std::vector<TypeOid>& types_of(int statement) const {
    return (*types_)[static_cast<std::size_t>(statement)];
  }
  // As pg::Pipeline.
  void add(const char* statement, const Binding& params) {
    pipeline_.add(statement, {params.count(), params.values(), params.lengths(), params.formats()});
  }
  void add_rollback() { pipeline_.add_sql("ROLLBACK"); }
  [[nodiscard]] bool send() { return pipeline_.send(); }
  [[nodiscard]] bool flush() { return pipeline_.flush(); }
  [[nodiscard]] bool receive(std::vector<pg::Reply>& replies) { return pipeline_.receive(replies); }
  [[nodiscard]] bool in_flight() const { return pipeline_.in_flight(); }
  [[nodiscard]] bool in_transaction() const { return pipeline_.in_transaction(); }
  [[nodiscard]] int socket() const { return lease_->socket(); }

  /// Cancels what runs (at most a second) and closes. Blocks: not for the reactor's thread.
  void cancel_and_close();
  /// Closes without a word to the server, so that the pool does not use it again.
  void close();

 private:
  Lease lease_;
  std::shared_ptr<const StatementTypes> types_;
  pg::Pipeline pipeline_;  ///< over the lease's connection; the pool does not see what passes,
                           ///< which is why close() never gives the connection back
};

}  // namespace pantryd::loadgen
