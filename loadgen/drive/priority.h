// When the thread that sends arrivals gets a processor.
#pragma once

namespace pantryd::loadgen {

/// Waking up late would be measured as the server's latency: on two cores with a load of eight, the
/// start lag p99 of this thread was 30 ms without, and 0.1 ms with, a real-time class. That is for
/// root, and with `realtime`, for a thread that sleeps most of the time. The short time slice is
/// for everybody else: p99 of a wake-up was 0.1 ms in place of 5 ms. False: neither a real-time
/// class nor a better nice value was allowed.
bool raise_priority(bool realtime);

}  // namespace pantryd::loadgen
