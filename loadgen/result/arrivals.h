// How operations arrive in an open loop.
#pragma once

#include <string_view>

namespace pantryd::loadgen {

enum class Arrivals {
  poisson,  ///< as many independent people arrive
  fixed,    ///< a grid: less noise between two runs, but no bursts
};
[[nodiscard]] std::string_view to_string(Arrivals arrivals);

}  // namespace pantryd::loadgen
