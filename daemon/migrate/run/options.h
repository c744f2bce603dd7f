// What a run of migrations may take and how long.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/stop.h"

namespace pantryd::migrate {

struct RunnerOptions {
  std::chrono::milliseconds lock_wait{600'000};    ///< for another runner to be done
  std::chrono::milliseconds lock_timeout{2'000};   ///< the longest that others queue behind us
  std::chrono::milliseconds lock_budget{600'000};  ///< for all attempts at one lock together
  std::chrono::milliseconds statement_timeout{3'600'000};
  /// A concurrent build is not begun while a transaction older than this is open.
  std::chrono::milliseconds old_transaction{60'000};
  std::optional<std::int64_t> to;   ///< up: no further than this version; down: back to it
  bool allow_out_of_order = false;  ///< run files numbered below one that is applied
  std::string tool_version;
  const StopFlag* stop = nullptr;
  /// Told of every statement and every write of history, right before it. Tests stop a run here.
  std::function<void(std::string_view what)> before_step;

  /// `stop`, or one that is never requested.
  [[nodiscard]] const StopFlag& stop_flag() const {
    static const StopFlag never;
    return stop != nullptr ? *stop : never;
  }
};

}  // namespace pantryd::migrate
