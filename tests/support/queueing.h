// What queueing theory says of c servers with exponential service times and Poisson arrivals
// (M/M/c), and a simulation of the same that takes any service time.
// Source: Erlang 1917; Kleinrock, "Queueing Systems", volume 1, 3.5.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/random.h"

namespace pantryd::testing_support {

/// The chance that an arrival waits: Erlang's C. `load` is arrivals a second times mean service
/// time, below `servers`.
inline double erlang_c(int servers, double load) {
  double inverse_b = 1;  // Erlang's B, by its recursion
  for (int i = 1; i <= servers; ++i) inverse_b = 1 + inverse_b * i / load;
  const double b = 1 / inverse_b;
  const double use = load / servers;
  return b / (1 - use * (1 - b));
}

/// P(response > t) of M/M/c, first come first served.
inline double mmc_response_above(int servers, double rate_per_s, double service_s, double t_s) {
  const double mu = 1 / service_s;
  const double load = rate_per_s * service_s;
  const double c = erlang_c(servers, load);
  const double gap = servers - 1 - load;
  if (std::abs(gap) < 1e-9) return std::exp(-mu * t_s) * (1 + c * mu * t_s);
  return std::exp(-mu * t_s) * (1 + c * (1 - std::exp(-mu * t_s * gap)) / gap);
}

/// The rate at which `share` of the responses are above `limit_s`; by bisection.
inline double mmc_capacity_per_s(int servers, double service_s, double limit_s, double share) {
  double low = 0;
  double high = servers / service_s;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (mmc_response_above(servers, middle, service_s, limit_s) > share ? high : low) = middle;
  }
  return low;
}

/// Responses in seconds of `arrivals` Poisson arrivals over `servers`; `service` draws a time.
inline std::vector<double> simulate_queue(int servers, double rate_per_s, std::int64_t arrivals,
                                          Random& random,
                                          const std::function<double(Random&)>& service) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int i = 0; i < servers; ++i) free_at.push(0);
  std::vector<double> out;
  out.reserve(static_cast<std::size_t>(arrivals));
  double now = 0;
  for (std::int64_t i = 0; i < arrivals; ++i) {
    now -= std::log(1 - random.uniform()) / rate_per_s;
    const double begin = std::max(now, free_at.top());
    free_at.pop();
    const double end = begin + service(random);
    free_at.push(end);
    out.push_back(end - now);
  }
  return out;
}

inline double draw_exponential(Random& random, double mean_s) {
  return -mean_s * std::log(1 - random.uniform());
}

}  // namespace pantryd::testing_support
