// What a load is to be: filled by the command line or by a search, checked by run_load().
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "loadgen/result/arrivals.h"
#include "loadgen/workload/plan.h"
#include "pool/pool.h"

namespace pantryd::loadgen {

enum class Mode { faithful, pipelined };
[[nodiscard]] std::string_view to_string(Mode mode);
/// What a person wrote for `name`, such as --mode. Throws Error(usage).
[[nodiscard]] Mode parse_mode(const std::string& name, const std::string& text);
/// Operations a second; none for "max". Throws Error(usage).
[[nodiscard]] std::optional<double> parse_rate(const std::string& name, const std::string& text);

struct LoadOptions {
  Workload workload;                 ///< see load_workload()
  std::optional<double> rate_per_s;  ///< none: `--rate max`, a closed loop over the users
  std::int64_t users = 0;            ///< 0: as many as connections; never fewer than those
  std::int64_t connections = 10;     ///< 1 to 1000
  std::int64_t threads = 1;          ///< reactors that share them; 1 to 64
  Arrivals arrivals = Arrivals::poisson;
  /// How the rate moves in the measured part. When it is not empty, run_load() sets the duration to
  /// its length and the rate to its mean, and warms up at its first rate.
  RatePlan plan;
  std::string windows_file;  ///< JSON lines of the seconds (loadgen/result/window_file.h); or empty
  /// Times of the pool; its sizes are `connections`, and nothing ages while a run lasts.
  std::optional<PoolSettings> pool;
  std::chrono::milliseconds duration{30'000};
  /// Of the part before the measured one; with `warm_until_steady` the limit of its length, which
  /// run_load() rounds up to whole seconds.
  std::chrono::milliseconds warmup{5'000};
  bool warm_until_steady = false;  ///< until the service times no longer fall (drive/settling.h)
  Mode mode = Mode::faithful;
  std::uint64_t seed = 1;
  std::chrono::milliseconds statement_limit{30'000};
  std::chrono::milliseconds drain_limit{10'000};
  /// Real-time class for the reactor's thread where the system allows it. Off for the control
  /// that must show a starved client.
  bool raise_priority = true;
  bool count_rows = false;  ///< of the dataset, after the load; see dataset/count.h
  /// Looks at the server and the host once a second, over one connection more.
  bool evidence = true;
};

}  // namespace pantryd::loadgen
