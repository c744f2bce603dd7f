// What limits next: one sentence with its numbers, from what the sessions of the load waited for,
// the host's processors and disk, and how busy the connections were. Pure.
//
// In this order, the first that holds, since each of them also makes those below it true:
//   client       the self-check found the client at its limit
//   lock         30 % of the sessions at work wait for locks of others
//   replication  30 % wait for a standby (synchronous_commit)
//   commit       30 % wait for WAL to be written and flushed
//   read         30 % wait for pages from disk
//   wait         50 % wait for one other thing inside the server
//   cpu          30 % are on a processor, and the host's are 90 % busy (known only on one host)
//   connections  the connections are 90 % in use, and operations wait for one longer than they work
// Where page faults of the server's sessions show, a sentence about them follows (page_faults.h).
// With fewer than 10 sessions seen at work (3 for cpu) nothing is said but of client and
// connections.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

struct BottleneckFacts {
  std::string client_finding;  ///< of the self-check; empty: the client is fine
  std::map<std::string, std::int64_t> waits;
  std::map<std::string, std::int64_t> contended;
  std::int64_t connections = 0;
  double busy_share = 0;  ///< of the connections' time
  double wait_mean_us = 0;
  double service_mean_us = 0;
  std::optional<double> server_cpu_busy;  ///< only when the server is on this host
  std::optional<double> server_disk_busy;
  std::string page_faults;  ///< page_faults.h: a sentence of its own, whatever limits; or empty
};

[[nodiscard]] Bottleneck name_bottleneck(const BottleneckFacts& facts);

/// Call it after the self-check.
[[nodiscard]] BottleneckFacts bottleneck_facts(const LoadResult& result);

}  // namespace pantryd::loadgen
