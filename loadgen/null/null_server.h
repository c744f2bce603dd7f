// A target that does nothing, or nothing but take a known time: enough of PostgreSQL's protocol 3
// for the load generator's own sessions, on a loopback port, in a thread of this process. Against
// it the client meets no limit but its own, and queueing theory says what it must measure.
//
// It keeps no rows: a prepared statement answers with one row of one text column whatever it says,
// and what needs a catalogue is refused with 0A000.
// Source: PostgreSQL manual, "Message Formats".
#pragma once

#include <cstdint>
#include <memory>

#include "loadgen/result/histogram.h"
#include "loadgen/workload/plan.h"
#include "pg/conninfo.h"

namespace pantryd::loadgen {

/// What a round trip of prepared statements takes; the rest is answered at once.
struct NullService {
  int servers = 0;          ///< that work at a time, first come first served; 0: no time at all
  double mean_s = 0;        ///< of the service time
  bool exponential = true;  ///< else every one takes mean_s
  std::uint64_t seed = 1;
};

class NullServer {
 public:
  /// Listens when it returns. Throws Error(failed) when there is no port or no thread.
  explicit NullServer(NullService service = {});
  ~NullServer();
  NullServer(const NullServer&) = delete;
  NullServer& operator=(const NullServer&) = delete;

  [[nodiscard]] pg::Conninfo where() const;
  /// Round trips answered so far. Thread-safe.
  [[nodiscard]] std::int64_t answered() const;
  /// Times that the servers really took, from the begin of service to the answer's way out, a late
  /// wake-up of this thread included. Thread-safe.
  [[nodiscard]] Histogram service_times() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

/// The same statements and weights, made fit for a target without rows: nothing is captured,
/// expected or judged, and keys of the dataset become fresh UUIDs.
[[nodiscard]] Workload null_workload(Workload workload);

}  // namespace pantryd::loadgen
