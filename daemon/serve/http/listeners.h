// The sockets on which connections arrive.
#pragma once

#include <string>
#include <vector>

#include "settings/listen.h"

namespace pantryd {

/// Closes its descriptors.
class Listeners {
 public:
  /// Binds every address and listens at once; an IPv6 address takes IPv6 alone. A name is looked
  /// up, for kLookUpTime at most, and all its addresses are bound that this machine has.
  /// Throws Error(failed) with the kernel's reason.
  explicit Listeners(const std::vector<Listen>& addresses);
  ~Listeners();
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  /// Do not block; never empty.
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }

 private:
  void open(const Listen& listen);
  std::vector<int> descriptors_;
};

/// What to do when the kernel refuses to listen there for this errno.
[[nodiscard]] std::string listen_hint(int reason, const Listen& listen);

}  // namespace pantryd
