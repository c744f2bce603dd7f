// How large a pool should be, from what was measured: a pure function, so that every figure in it
// can be checked by hand. docs/pool.md tells the reasoning; the sources stand beside each rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace pantryd::pool {

/// A load, of all pools together.
struct Demand {
  double arrivals_per_s = 0;  ///< transactions a second (lambda)
  double hold_s = 0;          ///< how long each holds its connection (W)
  double busy_s = 0;          ///< of it, how long the server works; at most hold_s
};

struct AdviceInputs {
  std::optional<std::int32_t> cores;  ///< of the database server; nothing: unknown
  std::int32_t max_connections = 100;
  std::int32_t superuser_reserved_connections = 3;
  std::int32_t reserved_connections = 0;  ///< PostgreSQL 16 and later
  std::int32_t others_now = 0;            ///< connections that are not of these pools
  std::int32_t pools = 1;                 ///< processes with such a pool, that share the server
  std::optional<Demand> demand;           ///< nothing: there was no load to measure
  std::optional<std::int32_t> configured_max;  ///< pool.max of today, of each pool
};

/// What the advised max was taken from.
enum class Binding {
  none,    ///< nothing is advised
  demand,  ///< what the load needs, with headroom
  knee,    ///< the server works on no more at a time with gain
  slots,   ///< the server lets no more in
};
[[nodiscard]] const char* to_string(Binding binding);

/// All of each pool.
struct Advice {
  std::optional<std::int32_t> min;    ///< nothing without a demand
  std::optional<std::int32_t> max;    ///< nothing without a demand, or when no slot is left
  std::optional<std::int32_t> knee;   ///< connections that keep the cores busy; unknown cores: none
  std::int32_t slots = 0;             ///< connections that the server has left
  std::optional<double> concurrency;  ///< Little's L
  Binding binds = Binding::none;
  /// The configured pools do not fit into max_connections, whoever else is connected.
  bool cannot_fit = false;
  std::vector<std::string> reasons;   ///< sentences with the figures, in the order of thought
  std::vector<std::string> warnings;  ///< sentences
};

/// Never throws; nonsense in the demand (a negative figure, a NaN) counts as no demand.
[[nodiscard]] Advice advise(const AdviceInputs& inputs);

}  // namespace pantryd::pool
