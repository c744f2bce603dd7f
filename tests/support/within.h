// Waiting for something to become true, for tests.
#pragma once

#include <chrono>
#include <thread>

#include "base/deadline.h"

namespace pantryd::testing_support {

/// Asks until `check` returns true; false when it did not within `limit`. It is asked once more at
/// the end, so that a slow check is not given up on without a look.
template <typename Check>
[[nodiscard]] bool within(std::chrono::milliseconds limit, Check check,
                          std::chrono::milliseconds pause = std::chrono::milliseconds(100)) {
  for (const auto deadline = Deadline::in(limit); !deadline.expired();) {
    if (check()) return true;
    std::this_thread::sleep_for(pause);
  }
  return check();
}

}  // namespace pantryd::testing_support
