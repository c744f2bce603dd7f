// The metrics that dashboards and rules may use, with their types. Until docs/metrics.md is
// generated this list stands for it; only metric_catalogue() knows where the names come from.
#pragma once

#include <map>
#include <string>

namespace pantryd::tests {

enum class MetricType { gauge, counter };

/// Every metric name that pantryd serves. Counters of pg_stat_database and pg_stat_archiver carry
/// postgres_exporter's names, which have no `_total`.
[[nodiscard]] inline std::map<std::string, MetricType> metric_catalogue() {
  std::map<std::string, MetricType> catalogue;
  const auto add = [&](MetricType type, std::initializer_list<const char*> names) {
    for (const char* name : names) {
      catalogue.emplace(name, type);
    }
  };
  add(MetricType::gauge,
      {"pg_up", "pg_static", "pg_postmaster_start_time_seconds", "pg_stat_database_numbackends",
       "pg_stat_activity_count", "pg_stat_activity_max_tx_duration", "pg_settings_max_connections",
       "pg_settings_superuser_reserved_connections", "pg_replication_lag_seconds",
       "pg_replication_is_replica", "pg_stat_replication_pg_wal_lsn_diff",
       "pg_stat_replication_pg_current_wal_lsn_bytes", "pg_replication_slots_active",
       "pg_stat_archiver_last_archive_age", "pg_database_size_bytes", "pg_wal_segments",
       "pg_wal_size_bytes"});
  for (const char* column :
       {"xact_commit", "xact_rollback", "blks_read", "blks_hit", "tup_returned", "tup_fetched",
        "tup_inserted", "tup_updated", "tup_deleted", "conflicts", "deadlocks", "temp_files",
        "temp_bytes", "blk_read_time", "blk_write_time"}) {
    catalogue.emplace(std::string("pg_stat_database_") + column, MetricType::counter);
  }
  add(MetricType::counter,
      {"pg_stat_archiver_archived_count", "pg_stat_archiver_failed_count",
       "pg_stat_statements_calls_total", "pg_stat_statements_seconds_total",
       "pg_stat_statements_rows_total", "pg_stat_statements_block_read_seconds_total",
       "pg_stat_statements_block_write_seconds_total", "pantryd_statements_evictions_total",
       "pantryd_probe_runs_total"});
  add(MetricType::gauge,
      {"pantryd_archive_enabled", "pantryd_archive_ready_segments",
       "pantryd_archive_oldest_ready_seconds", "pantryd_archive_unarchived_bytes",
       "pantryd_archive_failing", "pantryd_archive_last_archived_timestamp_seconds",
       "pantryd_archive_last_failed_timestamp_seconds", "pantryd_replication_standbys",
       "pantryd_replication_unsent_bytes", "pantryd_replication_unwritten_bytes",
       "pantryd_replication_unflushed_bytes", "pantryd_replication_unreplayed_bytes",
       "pantryd_replication_total_bytes", "pantryd_replication_reply_age_seconds",
       "pantryd_standby_receiver_streaming", "pantryd_standby_unreplayed_bytes",
       "pantryd_standby_replay_paused", "pantryd_standby_last_message_age_seconds",
       "pantryd_standby_replay_delay_seconds", "pantryd_backup_last_success_timestamp_seconds",
       "pantryd_backup_age_seconds", "pantryd_backup_age_limit_seconds",
       "pantryd_backup_size_bytes", "pantryd_backup_count", "pantryd_backup_newest_failed",
       "pantryd_backup_readable", "pantryd_statements_tracked", "pantryd_statements_max",
       "pantryd_connections_used", "pantryd_connections_limit", "pantryd_probe_outcome",
       "pantryd_probe_age_seconds", "pantryd_probe_last_success_timestamp_seconds",
       "pantryd_probe_interval_seconds", "pantryd_probe_duration_seconds", "pantryd_probe_rows",
       "pantryd_build_info"});
  return catalogue;
}

}  // namespace pantryd::tests
