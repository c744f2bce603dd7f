// What the counters of a list of entries grew by from look to look, though entries come and go:
// the server throws one out for want of room, and it comes back and counts from zero.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace pantryd::probes {

/// Every look lists all entries that there are, so that one that is missing is gone.
class Growth {
 public:
  /// By how much each value is more than at the look before. What is new, and what is less than it
  /// was, counts from zero; NaN (not known) does not grow. To be called once an entry and look.
  [[nodiscard]] std::vector<double> grown(const std::string& entry,
                                          const std::vector<double>& values);
  /// Forgets the entries that this look did not list.
  void end_look();
  /// True until the first look is over: what was before it is not known to have grown.
  [[nodiscard]] bool first_look() const { return look_ == 0; }

 private:
  struct Seen {
    std::vector<double> values;
    std::int64_t look = 0;
  };
  std::unordered_map<std::string, Seen> seen_;
  std::int64_t look_ = 0;
};

}  // namespace pantryd::probes
