// Turns lost connections into a list of outages.
#pragma once

#include <string>
#include <vector>

#include "loadgen/result/totals.h"

namespace pantryd::loadgen {

/// An outage begins with the first lost connection and ends with the first success on a
/// connection made again. While connections are still away, further losses belong to it.
class OutageLog {
 public:
  void lost(double at_s, const std::string& error, bool operation_failed);
  void reconnected();           ///< one connection is back, not yet proven
  void succeeded(double at_s);  ///< the first success on a connection made again
  /// The moment from which times count is `seconds` earlier than it was.
  void move_origin(double seconds);
  [[nodiscard]] std::vector<Outage> take() { return std::move(outages_); }
  [[nodiscard]] std::int64_t away() const { return away_; }

 private:
  static constexpr std::size_t kOutagesMax = 1000;
  std::vector<Outage> outages_;  ///< when full, the last one takes what comes
  std::int64_t away_ = 0;        ///< connections that are being made again
};

}  // namespace pantryd::loadgen
