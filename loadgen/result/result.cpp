// Sums over the operations of a result.
#include "loadgen/result/result.h"

namespace pantryd::loadgen {

std::int64_t LoadResult::sum_of(std::int64_t OperationTotals::*count) const {
  std::int64_t sum = 0;
  for (const auto& each : operations) sum += each.totals.*count;
  return sum;
}
std::int64_t LoadResult::offered() const {
  return sum_of(&OperationTotals::offered);
}
std::int64_t LoadResult::completed() const {
  return sum_of(&OperationTotals::completed);
}
std::int64_t LoadResult::refused() const {
  return sum_of(&OperationTotals::refused);
}
std::int64_t LoadResult::empty() const {
  return sum_of(&OperationTotals::empty);
}
std::int64_t LoadResult::errors() const {
  return sum_of(&OperationTotals::errors);
}
std::int64_t LoadResult::not_started() const {
  return sum_of(&OperationTotals::not_started);
}
std::int64_t LoadResult::done_in_window() const {
  return sum_of(&OperationTotals::done_in_window);
}
double LoadResult::completed_per_s() const {
  return throughput_per_s(done_in_window(), totals.client.measured_s);
}
double LoadResult::completed_per_s(const OperationResult& operation) const {
  return throughput_per_s(operation.totals.done_in_window, totals.client.measured_s);
}

}  // namespace pantryd::loadgen
