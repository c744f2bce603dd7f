// What clients may use up. A client that a limit ends sees its connection closed; nobody else waits
// for it.
#pragma once

#include <chrono>
#include <cstddef>

namespace pantryd {

struct HttpLimits {
  /// In all. When there are as many, the one that has been slow longest makes room, as soon as it
  /// has been slow for `grace`: until then, new ones wait in the kernel's queue.
  std::size_t connections = 256;
  std::chrono::milliseconds grace{200};

  std::size_t head_bytes = 16 * 1024;  ///< of the request line and the headers
  std::size_t headers = 100;
  std::chrono::milliseconds head_time{10'000};   ///< from the first byte; at first from the accept
  std::chrono::milliseconds idle_time{120'000};  ///< between two requests
  int requests = 1000;                           ///< on one connection

  /// A reader takes so much of its answer in so much time, or the rest of it.
  std::size_t progress_bytes = 64 * 1024;
  std::chrono::milliseconds progress_time{10'000};

  std::chrono::milliseconds drain_time{1'000};  ///< for the client to close after the last answer
  /// Of all pages that are being read: more than this, and more than four of the largest, and the
  /// slowest readers lose theirs.
  std::size_t pages_bytes = 64 * 1024 * 1024;
};

}  // namespace pantryd
