// Invariants that a source states, checked while it runs. A broken one is a bug of pantryd: going
// on would make a wrong number or harm a server, so the process logs one line and aborts.
//
//   PANTRYD_ASSERT(condition)        in every build; for conditions that cost a few instructions
//   PANTRYD_ASSERT_DEBUG(condition)  in dev, asan and tsan; for conditions that walk a container
//
// The condition may not have side effects. Input of a person or a server is never asserted: it is
// checked and refused with an Error.
#pragma once

namespace pantryd {

/// Writes "FILE:LINE: the invariant CONDITION does not hold" as one line to standard error, without
/// memory allocation and without the logger's locks, and calls std::abort().
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace pantryd

#define PANTRYD_ASSERT(condition) \
  ((condition) ? void() : ::pantryd::assertion_failed(#condition, __FILE__, __LINE__))

#ifdef PANTRYD_DEBUG_ASSERTIONS
#define PANTRYD_ASSERT_DEBUG(condition) PANTRYD_ASSERT(condition)
#else
#define PANTRYD_ASSERT_DEBUG(condition) static_cast<void>(sizeof(!(condition)))
#endif
