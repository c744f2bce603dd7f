// What a run counted. Fixed memory whatever the length of the run (but for a line a second), and
// every part merges by addition, so that several reactors or machines make one result.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/result/histogram.h"
#include "loadgen/result/loop_facts.h"
#include "loadgen/result/window.h"

namespace pantryd::loadgen {

/// One kind of operation, counted in two ways that are never mixed.
///
/// By arrival: operations whose intended start lies in the measured window, however late they end,
/// so the drain is included. At the end of a run is_closed() holds. Latencies and SLOs use these.
///
/// By end: operations that ended inside the measured window, whenever they arrived, so those of the
/// warm-up are included and those of the drain are not. Throughput uses this one only.
struct OperationTotals {
  // By arrival:
  std::int64_t offered = 0;
  std::int64_t completed = 0;    ///< ended as expected
  std::int64_t refused = 0;      ///< the database turned it down with an SQLSTATE of `refusals`
  std::int64_t empty = 0;        ///< every step was skipped: nothing was sent to the server
  std::int64_t errors = 0;       ///< failed, lost, timed out, wrong number of rows, unfinished
  std::int64_t not_started = 0;  ///< still waiting when the run ended, or beyond the backlog
  std::int64_t attempts = 0;     ///< of the operations that were started, the first ones included
  /// Those after 40001, 40P01 or a stale prepared statement; hidden in no latency.
  std::int64_t retries = 0;
  std::int64_t gave_up = 0;   ///< operations whose retries were used up; they are errors
  std::int64_t over_slo = 0;  ///< completed or refused, but later than the SLO
  Histogram response;  ///< intended start to end, completed and refused ones; not_started: until
                       ///< the run's end
  Histogram service;   ///< first statement sent to end, completed and refused ones
  Histogram wait;      ///< intended start to first statement sent, all that were started

  // By end:
  std::int64_t done_in_window = 0;  ///< completed; neither refused nor empty

  /// Everything that broke the promise: late, failed, or never started.
  [[nodiscard]] std::int64_t misses() const { return over_slo + errors + not_started; }
  /// True when each arrival has exactly one outcome.
  [[nodiscard]] bool is_closed() const {
    return offered == completed + refused + empty + errors + not_started;
  }
  void merge(const OperationTotals& other);
};

/// Throughput: what ended inside the measured window, divided by its length. The only place where
/// it is computed; 0 when nothing was measured.
[[nodiscard]] double throughput_per_s(std::int64_t done_in_window, double measured_s);

struct ErrorCount {
  std::int64_t count = 0;
  std::string first_message;
};

/// A time in which connections were lost. Seconds from the start of the measured part.
struct Outage {
  double from_s = 0;
  std::optional<double>
      to_s;  ///< first success on a connection made again; none: not within the run
  std::int64_t operations_failed = 0;
  std::int64_t connections_lost = 0;
  std::string first_error;
};

struct ClientTotals {
  double cpu_s = 0;             ///< of the reactor threads, in the measured part
  double cpu_wait_s = 0;        ///< ready to run, but other work had the processor
  double busiest_cpu_s = 0;     ///< of the reactor thread that used most
  std::int64_t threads = 1;     ///< reactor threads
  double measured_s = 0;        ///< length of the measured part
  std::int64_t operations = 0;  ///< ended in it
  Histogram start_lag;          ///< a due arrival and a free connection, until it was sent
  std::int64_t stalls = 0;      ///< turns of the loop above 10 ms
  std::int64_t longest_stall_us = 0;
  LoopFacts loop;  ///< for the self-check
};

/// What was still completed after the measured window.
struct Drain {
  std::int64_t completed = 0;
  double seconds = 0;  ///< its length
};

struct RunTotals {
  std::vector<OperationTotals> operations;  ///< in the workload's order
  Drain drained;
  std::map<std::string, ErrorCount> errors;  ///< by SQLSTATE, or timeout, rows, unfinished
  std::vector<Window> windows;
  std::vector<Outage> outages;
  ClientTotals client;
  std::int64_t queue_peak = 0;
  std::int64_t users_peak = 0;         ///< most operations waiting or in work at a time, <= users
  std::int64_t found_users_busy = 0;   ///< arrivals that found every user busy
  std::int64_t warmup_operations = 0;  ///< arrivals of the warm-up that ended, but for empty ones

  void add_error(const std::string& code, const std::string& message);
  /// But for the windows, which the WindowCollector adds up: a percentile cannot be added.
  void merge(const RunTotals& other);
};

}  // namespace pantryd::loadgen
