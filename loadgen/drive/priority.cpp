// Asks for the best that this user may have: a real-time class, else a nice value, and in the
// ordinary class the shortest time slice.
#include "loadgen/drive/priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace pantryd::loadgen {
namespace {

/// The first 48 bytes of sched_setattr(2)'s argument, which are those of every kernel that has it.
struct SchedulingAttributes {
  std::uint32_t size = sizeof(SchedulingAttributes);
  std::uint32_t policy = SCHED_OTHER;
  std::uint64_t flags = 0;
  std::int32_t nice = 0;
  std::uint32_t priority = 0;
  std::uint64_t runtime_ns = 0;  ///< since Linux 6.12 the time slice of SCHED_OTHER
  std::uint64_t deadline_ns = 0;
  std::uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

/// The shortest time slice that Linux gives: a thread that asks for little at a time is preferred
/// when it wakes up (EEVDF). Older kernels accept it and do nothing. Anybody may.
void shorten_time_slice() {
  SchedulingAttributes attributes;
  attributes.nice = ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
  attributes.runtime_ns = 100'000;
  (void)::syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

bool raise_priority(bool realtime) {
  sched_param parameters{};
  parameters.sched_priority = 1;
  if (realtime &&
      ::sched_setscheduler(::gettid(), SCHED_RR | SCHED_RESET_ON_FORK, &parameters) == 0) {
    return true;
  }
  const bool raised = ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), -10) == 0;
  shorten_time_slice();
  return raised;
}

}  // namespace pantryd::loadgen
