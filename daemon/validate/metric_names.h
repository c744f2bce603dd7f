// The metrics of the probes that claims are judged by, written once. A name that no probe has would
// make a claim INCONCLUSIVE for ever, so a test looks for each of kAll among the probes' metrics.
#pragma once

#include <array>

namespace pantryd::validate::metric_names {

// probes/backup; labels name and kind
inline constexpr const char* kBackupReadable = "pantryd_backup_readable";
inline constexpr const char* kBackupAge = "pantryd_backup_age_seconds";
inline constexpr const char* kBackupAgeLimit = "pantryd_backup_age_limit_seconds";
inline constexpr const char* kBackupNewestFailed = "pantryd_backup_newest_failed";
inline constexpr const char* kBackupCount = "pantryd_backup_count";

// probes/replication.yaml, on a primary
inline constexpr const char* kReplicationStandbys = "pantryd_replication_standbys";
inline constexpr const char* kReplicationTotalBytes = "pantryd_replication_total_bytes";
// probes/standby.yaml, on a standby
inline constexpr const char* kReceiverStreaming = "pantryd_standby_receiver_streaming";
inline constexpr const char* kReplayPaused = "pantryd_standby_replay_paused";

// probes/archiver.yaml
inline constexpr const char* kArchiveEnabled = "pantryd_archive_enabled";
inline constexpr const char* kArchiveReadySegments = "pantryd_archive_ready_segments";
inline constexpr const char* kArchiveOldestReady = "pantryd_archive_oldest_ready_seconds";
inline constexpr const char* kArchiveFailing = "pantryd_archive_failing";
inline constexpr const char* kArchiveLastArchived =
    "pantryd_archive_last_archived_timestamp_seconds";

// probes/settings.yaml
inline constexpr const char* kFsync = "pg_settings_fsync";
inline constexpr const char* kSynchronousCommit = "pg_settings_synchronous_commit";
inline constexpr const char* kFullPageWrites = "pg_settings_full_page_writes";

inline constexpr std::array kAll{kBackupReadable,
                                 kBackupAge,
                                 kBackupAgeLimit,
                                 kBackupNewestFailed,
                                 kBackupCount,
                                 kReplicationStandbys,
                                 kReplicationTotalBytes,
                                 kReceiverStreaming,
                                 kReplayPaused,
                                 kArchiveEnabled,
                                 kArchiveReadySegments,
                                 kArchiveOldestReady,
                                 kArchiveFailing,
                                 kArchiveLastArchived,
                                 kFsync,
                                 kSynchronousCommit,
                                 kFullPageWrites};

}  // namespace pantryd::validate::metric_names
