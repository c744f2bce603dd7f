// A file descriptor that is closed with its owner.
#pragma once

#include <unistd.h>

namespace pantryd {

class Descriptor {
 public:
  /// Takes it over; a negative one, as open(2) returns on failure, is held and never closed.
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace pantryd
