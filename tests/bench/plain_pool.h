// The pool that anybody writes first: what ours is measured against. A mutex, a condition variable
// and a vector; no order among those who wait, no checks, no reasons, nothing made anew.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "pg/connection.h"

namespace pantryd::bench {

class PlainPool {
 public:
  class Loan {
   public:
    Loan(PlainPool& pool, std::unique_ptr<pg::Connection> connection)
        : pool_(pool), connection_(std::move(connection)) {}
    ~Loan() { pool_.give_back(std::move(connection_)); }
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    [[nodiscard]] pg::Connection* operator->() const { return connection_.get(); }

   private:
    PlainPool& pool_;
    std::unique_ptr<pg::Connection> connection_;
  };

  PlainPool(const pg::Conninfo& where, int size) {
    idle_.reserve(static_cast<std::size_t>(size));
    for (int i = 0; i < size; ++i) {
      idle_.push_back(std::make_unique<pg::Connection>(
          pg::Connection::connect(where, Deadline::in(std::chrono::seconds(30)))));
    }
  }

  [[nodiscard]] Loan acquire(Deadline deadline) {
    std::unique_lock lock(mutex_);
    if (!returned_.wait_until(lock, deadline.when(), [this] { return !idle_.empty(); })) {
      throw std::runtime_error("no connection became free in time");
    }
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return {*this, std::move(connection)};
  }

 private:
  void give_back(std::unique_ptr<pg::Connection> connection) {
    {
      const std::lock_guard lock(mutex_);
      idle_.push_back(std::move(connection));
    }
    returned_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<pg::Connection>> idle_;
};

}  // namespace pantryd::bench
