// Claims and verdicts. A verdict needs evidence: what could not be looked at is INCONCLUSIVE, what
// the client itself limited is INVALID, and neither is ever a PASS.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/drive/load.h"

namespace pantryd::loadgen {

enum class Check { throughput, users, latency, backups, replication, archive, durability };

struct Claim {
  std::string id;
  std::string text;
  Check check = Check::throughput;
  double at_least = 0;  ///< throughput: transactions a second; users: users
  double offered = 0;   ///< throughput: arrivals a second
  double users = 2;     ///< latency: users of the closed loop
  std::chrono::milliseconds limit{1000};
  std::int64_t lag_limit_bytes = std::int64_t{64} << 20;
  std::chrono::milliseconds wait_limit{120'000};
};

/// Throws Error(usage) with FILE:LINE:COLUMN.
[[nodiscard]] std::vector<Claim> parse_claims(const std::string& text,
                                              const std::string& source_name);
/// An empty path: those compiled into this binary.
[[nodiscard]] std::vector<Claim> load_claims(const std::string& path);

/// One series that a probe read.
struct ServerMetric {
  std::string name;
  std::map<std::string, std::string> labels;
  double value = 0;
};

/// What the probes saw of one server.
struct ServerEvidence {
  std::string name;
  bool up = false;
  bool standby = false;
  std::string problem;  ///< why it is not up
  std::vector<ServerMetric> metrics;

  /// The first series of this name.
  [[nodiscard]] std::optional<double> value(const std::string& metric) const;
};

struct Evidence {
  std::vector<ServerEvidence> servers;  ///< after the load
  std::optional<LoadResult> paced;      ///< a few users in a closed loop: tells what a query costs
  std::optional<LoadResult> peak;       ///< at the claimed rate and number of users
};

struct ClaimVerdict {
  Claim claim;
  Verdict verdict = Verdict::inconclusive;
  std::string measured;               ///< the number, short
  std::vector<std::string> evidence;  ///< one line each
};

[[nodiscard]] std::vector<ClaimVerdict> judge_claims(const std::vector<Claim>& claims,
                                                     const Evidence& evidence);

}  // namespace pantryd::loadgen
