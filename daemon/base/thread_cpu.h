// What the calling thread has used of a processor.
#pragma once

#include <sys/resource.h>

namespace pantryd {

/// Seconds since the thread began, in user space and in the kernel (getrusage(2)).
[[nodiscard]] inline double thread_cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace pantryd
