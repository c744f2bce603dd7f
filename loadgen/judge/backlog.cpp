// A least-squares line through what waited at the end of each whole second.
#include "loadgen/judge/backlog.h"

#include <algorithm>
#include <cmath>

namespace pantryd::loadgen {

bool backlog_grows(const LoadResult& result) {
  double n = 0, sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
  const auto seconds = static_cast<std::int64_t>(result.totals.client.measured_s);
  for (const auto& window : result.totals.windows) {
    if (window.phase != Phase::measured || window.second >= seconds) continue;
    const auto x = static_cast<double>(window.second);
    const auto y = static_cast<double>(window.queued);
    n += 1;
    sum_x += x;
    sum_y += y;
    sum_xx += x * x;
    sum_xy += x * y;
  }
  const double spread = n * sum_xx - sum_x * sum_x;
  if (n < 3 || spread <= 0) return false;
  const double rise = (n * sum_xy - sum_x * sum_y) / spread * n;
  const auto offered = static_cast<double>(result.offered());
  return rise > std::max(0.01 * offered, 3 * std::sqrt(offered));
}

}  // namespace pantryd::loadgen
