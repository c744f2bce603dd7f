// For the tests of the pool against networks and servers that fail.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pg/connection.h"
#include "pool/pool.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd::testing_support {

inline constexpr auto kPatience = std::chrono::seconds(60);
/// The bar for service after a fault.
inline constexpr auto kBackWithin = std::chrono::milliseconds(1000);

std::chrono::milliseconds since(SteadyClock::time_point then);

Deadline patience();

/// A login of the shared sandbox whose password we know; `port` may be a gate's.
pg::Conninfo till_at(std::uint16_t port);

/// What a borrower got: "served", a refusal, or what became of its statement.
struct Outcome {
  std::string what;
  std::string message;
  std::chrono::milliseconds took{0};
  [[nodiscard]] bool served() const { return what == "served"; }
};

/// Borrows, and lets a statement prove the connection; either has `limit`.
Outcome borrow_once(Pool& pool, std::chrono::milliseconds limit,
                    const std::string& sql = "SELECT 1");

/// Ends the fault, and expects service within a second: from that moment until a borrower's
/// statement has been answered. That second is one of a machine that has time for us. So a login
/// with no pool is made beside it from the same moment on, again and again: as long as the slowest
/// of these took, a tenth of a second on a machine at rest, the pool may take longer. A pool that
/// sleeps through the end of a fault is not excused by it, because those logins do not sleep.
std::chrono::milliseconds expect_back(Pool& pool, const pg::Conninfo& where,
                                      const std::string& fault,
                                      const std::function<void()>& end_fault);

/// Callers who come without pause, and what they got.
class Crowd {
 public:
  /// By what they got: how many, and the longest that one of them took.
  using Seen = std::map<std::string, std::pair<int, std::chrono::milliseconds>>;

  Crowd(Pool& pool, int size, std::chrono::milliseconds limit, std::string sql = "SELECT 1");
  ~Crowd() { end(); }
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  void end();
  /// What they got since the last call.
  Seen take();
  void print(const std::string& fault);

 private:
  std::atomic<bool> over_{false};
  std::mutex mutex_;
  Seen seen_;
  std::vector<std::thread> threads_;
};

std::int64_t create_failures(const PoolStatistics& numbers);

/// Connections made and not closed, as the pool counts them, minus those it says stand. Always 0.
std::int64_t unaccounted(const PoolStatistics& numbers);

/// Sessions that the server has under this name.
std::int64_t sessions_of(pg::Connection& watcher, const std::string& application_name);

}  // namespace pantryd::testing_support
