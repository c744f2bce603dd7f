// The pools that anybody writes first: what ours is measured against. Neither checks, gives
// reasons, makes anything anew or counts. PlainPool: a mutex, a condition variable and a vector; no
// order among those who wait. OrderedPool: the same, but who came first is served first, as in
// ours.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "base/deadline.h"
#include "pg/connection.h"

namespace pantryd::bench {

/// A borrowed connection, given back by the destructor.
template <typename AnyPool>
class Loan {
 public:
  Loan(AnyPool& pool, std::unique_ptr<pg::Connection> connection)
      : pool_(pool), connection_(std::move(connection)) {}
  ~Loan() { pool_.give_back(std::move(connection_)); }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  [[nodiscard]] pg::Connection* operator->() const { return connection_.get(); }

 private:
  AnyPool& pool_;
  std::unique_ptr<pg::Connection> connection_;
};

using Connections = std::vector<std::unique_ptr<pg::Connection>>;

inline Connections connect_all(const pg::Conninfo& where, int size) {
  Connections out;
  out.reserve(static_cast<std::size_t>(size));
  for (int i = 0; i < size; ++i) {
    out.push_back(std::make_unique<pg::Connection>(
        pg::Connection::connect(where, Deadline::in(std::chrono::seconds(30)))));
  }
  return out;
}

class PlainPool {
 public:
  PlainPool(const pg::Conninfo& where, int size) : idle_(connect_all(where, size)) {}

  [[nodiscard]] Loan<PlainPool> acquire(Deadline deadline) {
    std::unique_lock lock(mutex_);
    if (!returned_.wait_until(lock, deadline.when(), [this] { return !idle_.empty(); })) {
      throw std::runtime_error("no connection became free in time");
    }
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return {*this, std::move(connection)};
  }
  void give_back(std::unique_ptr<pg::Connection> connection) {
    {
      const std::lock_guard lock(mutex_);
      idle_.push_back(std::move(connection));
    }
    returned_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable returned_;
  Connections idle_;
};

class OrderedPool {
 public:
  OrderedPool(const pg::Conninfo& where, int size) : idle_(connect_all(where, size)) {}

  [[nodiscard]] Loan<OrderedPool> acquire(Deadline deadline) {
    Waiter self;
    std::unique_lock lock(mutex_);
    if (idle_.empty()) {
      waiting_.push_back(&self);
      if (!self.changed.wait_until(lock, deadline.when(),
                                   [&] { return self.connection != nullptr; })) {
        waiting_.erase(std::find(waiting_.begin(), waiting_.end(), &self));
        throw std::runtime_error("no connection became free in time");
      }
    } else {
      self.connection = std::move(idle_.back());
      idle_.pop_back();
    }
    return {*this, std::move(self.connection)};
  }
  void give_back(std::unique_ptr<pg::Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) {
      idle_.push_back(std::move(connection));
      return;
    }
    auto& first = *waiting_.front();
    waiting_.pop_front();
    first.connection = std::move(connection);
    first.changed.notify_one();
  }

 private:
  struct Waiter {
    std::condition_variable changed;
    std::unique_ptr<pg::Connection> connection;
  };
  std::mutex mutex_;
  std::deque<Waiter*> waiting_;
  Connections idle_;
};

}  // namespace pantryd::bench
