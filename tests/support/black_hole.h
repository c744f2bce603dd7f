// A port of loopback that drops every SYN, as a firewall with a DROP rule does: the backlog of its
// listener is full, and the kernel answers nothing.
#pragma once

#include <cstdint>
#include <vector>

namespace pantryd::testing_support {

class BlackHole {
 public:
  BlackHole();
  ~BlackHole();
  BlackHole(const BlackHole&) = delete;
  BlackHole& operator=(const BlackHole&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::vector<int> descriptors_;
  std::uint16_t port_ = 0;
};

}  // namespace pantryd::testing_support
