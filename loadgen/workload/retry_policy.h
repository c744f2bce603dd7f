// How often an operation is tried again after the server rolled it back (SQLSTATE 40001 or 40P01),
// and how long it waits before.
#pragma once

#include <chrono>

namespace pantryd::loadgen {

struct RetryPolicy {
  int most = 5;                        ///< after the first attempt; 0: it is not tried again
  std::chrono::milliseconds pause{5};  ///< before the first retry; doubled for each other one
  std::chrono::milliseconds pause_max{1'000};
};

}  // namespace pantryd::loadgen
