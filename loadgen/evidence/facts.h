// What a look at the server and the host read, and what changed between two of them: plain data.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/evidence/host.h"

namespace pantryd::loadgen {

/// Names of counters (docs/load-testing.md lists them): commits, rollbacks, blocks_hit,
/// blocks_read, temp_bytes, deadlocks, active_ms, other_transactions, other_active_ms, wal_bytes,
/// wal_records, wal_full_page_images, checkpoints, checkpoints_timed, checkpoints_requested,
/// checkpoint_write_ms, checkpoint_sync_ms, checkpoint_buffers, statements_evicted; from PostgreSQL
/// 16 on io_reads, io_writes, io_extends, io_fsyncs; of the sessions' processes, where these are
/// local and readable, page_faults, page_faults_major, session_user_ms, session_system_ms. Gauges:
/// sessions, active, idle_in_transaction, foreign_sessions, foreign_active, foreign_hidden,
/// locks_waiting, standbys, replay_lag_bytes, replay_lag_ms, started_at, configured_at.
struct Look {
  double at_s = 0;
  double took_ms = 0;  ///< of the server's part
  std::optional<CpuTimes> cpu;
  std::optional<DiskTimes> disk;
  std::optional<Throttling> throttling;
  bool answered = false;  ///< by the server; else the maps are empty
  std::map<std::string, double> counters;
  std::map<std::string, double> gauges;
  std::map<std::string, std::int64_t> waits;  ///< "Lock:transactionid", or "CPU": sessions of ours
  std::map<std::string, std::int64_t> contended;  ///< relation: sessions in its row lock queues
  std::map<std::string, std::int64_t> others;     ///< sessions of others, by application_name
  std::map<std::string, std::int64_t> vacuums;    ///< workers of autovacuum, by what they work on
};

/// What changed at the host between begin and end of the measured part.
struct HostFacts {
  double elapsed_s = 0;  ///< between the two looks
  std::optional<double> steal_share;
  double steal_s = 0;
  std::optional<std::int64_t> throttled;
  double throttled_s = 0;
};

/// And at the server, warm-up included. Default: nothing was seen, and nothing is concluded.
struct ServerFacts {
  double elapsed_s = 0;
  std::vector<std::string> changed_settings;  ///< names
  bool restarted = false;                     ///< pg_postmaster_start_time() is another one
  bool reloaded = false;                      ///< pg_conf_load_time() is another one
  double own_transactions = 0;
  double other_transactions = 0;  ///< of all other databases
  double own_active_s = 0;        ///< summed over sessions
  double other_active_s = 0;
  double statements_evicted = 0;  ///< pg_stat_statements_info.dealloc
};

/// What looking cost.
struct ObserverCost {
  std::int64_t looks = 0;
  std::int64_t dropped = 0;  ///< the last one was not over in time, or the server did not answer
  double server_s = 0;       ///< round trips together: an upper bound of the server's time
  double client_cpu_s = 0;
};

}  // namespace pantryd::loadgen
