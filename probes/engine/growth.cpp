// Invariant between two looks: seen_ holds the entries of the last one, and no others.
#include "probes/engine/growth.h"

#include <cmath>

namespace pantryd::probes {

std::vector<double> Growth::grown(const std::string& entry, const std::vector<double>& values) {
  auto& seen = seen_[entry];
  std::vector<double> out(values);
  for (std::size_t i = 0; i < values.size() && i < seen.values.size(); ++i) {
    if (values[i] >= seen.values[i]) out[i] = values[i] - seen.values[i];
  }
  seen.values = values;
  seen.look = look_;
  return out;
}

void Growth::end_look() {
  for (auto each = seen_.begin(); each != seen_.end();) {
    each = each->second.look != look_ ? seen_.erase(each) : std::next(each);
  }
  ++look_;
}

}  // namespace pantryd::probes
