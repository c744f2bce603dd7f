// Invariants: a backup is called complete only when its manifest was read to its checksum line and
// nothing it names was found missing or of another size. unfinished_ holds only names of the last
// look.
#include "probes/backup/readers/base/base_reader.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "base/units.h"
#include "probes/backup/readers/base/base_manifest.h"

namespace pantryd::backup {
namespace {

constexpr std::string_view kManifest = "backup_manifest";
constexpr std::string_view kLabel = "backup_label";
/// A line of the manifest: enough for an even sample, not for a promise.
constexpr std::int64_t kManifestLineBytes = 140;
constexpr std::int64_t kMembersPerDeadline = 256;
constexpr std::uint64_t kWalSegmentsChecked = 10'000;
constexpr int kTreeDepthMax = 6;

const Entry* find(const std::vector<Entry>& entries, std::string_view name) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const Entry& entry) { return entry.name == name; });
  return found == entries.end() ? nullptr : &*found;
}

const Entry* find_tar(const std::vector<Entry>& entries) {
  const auto found = std::find_if(entries.begin(), entries.end(), [](const Entry& entry) {
    return !entry.folder && entry.name.starts_with("base.tar");
  });
  return found == entries.end() ? nullptr : &*found;
}

bool looks_like_base(const std::vector<Entry>& entries) {
  return find(entries, kManifest) != nullptr || find(entries, "backup_manifest.tmp") != nullptr ||
         find(entries, kLabel) != nullptr || find(entries, "PG_VERSION") != nullptr ||
         find_tar(entries) != nullptr;
}

/// Sum of the sizes and the newest modification under a folder; links are not followed.
void sum_tree(int folder_fd, Deadline deadline, int depth, std::size_t& left, FileIdentity& sum) {
  std::vector<Entry> entries;
  std::string reason;
  if (depth > kTreeDepthMax || !list_folder(folder_fd, deadline, entries, reason)) return;
  for (const auto& entry : entries) {
    if (left == 0) return;
    --left;
    sum.modified_ns = std::max(sum.modified_ns, entry.identity.modified_ns);
    if (!entry.folder) {
      sum.size_bytes += entry.size_bytes();
    } else if (const auto inner = open_folder_at(folder_fd, entry.name, reason); inner.open()) {
      sum_tree(inner.get(), deadline, depth + 1, left, sum);
    }
  }
}

/// What comparing a manifest with the disk found.
struct Comparison {
  int folder_fd;
  Deadline deadline;
  std::int64_t stride = 1;
  bool on_disk = true;  ///< false for tar: the names are inside it
  std::int64_t index = 0;
  std::int64_t checked = 0;
  std::int64_t skipped = 0;
  std::string trouble;
  bool out_of_time = false;
  bool incremental = false;
  std::string label_stamp;

  bool take(const ManifestFile& file) {
    if (file.path == kLabel) label_stamp = file.last_modified;
    incremental = incremental || file.path.find("/INCREMENTAL.") != std::string::npos;
    const bool always = file.path == "global/pg_control" || file.path == kLabel;
    if (index++ % kMembersPerDeadline == 0 && deadline.expired()) {
      out_of_time = true;
      return false;
    }
    if (!on_disk) return true;
    // Table spaces are links out of the tree, and a path that climbs is not one of ours.
    if (file.path.empty() || file.path.front() == '/' || file.path.starts_with("pg_tblspc/") ||
        file.path.find("..") != std::string::npos || (index % stride != 0 && !always)) {
      ++skipped;
      return true;
    }
    ++checked;
    struct stat status {};
    if (::fstatat(folder_fd, file.path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      trouble = fmt::format("{} is missing", file.path);
    } else if (status.st_size != file.size_bytes) {
      trouble = fmt::format("{} has {} bytes, its manifest says {}", file.path, status.st_size,
                            file.size_bytes);
    }
    return trouble.empty();
  }
};

/// The first segment of the ranges that is not in pg_wal; "" when none is, or when the backup
/// carries no WAL at all (then `carries` is false and an archive has to have it).
std::string missing_segment(int folder_fd, Deadline deadline, const Manifest& manifest,
                            bool& carries) {
  std::string reason;
  std::vector<Entry> entries;
  carries = false;
  const auto folder = open_folder_at(folder_fd, "pg_wal", reason);
  if (!folder.open() || !list_folder(folder.get(), deadline, entries, reason)) return {};
  std::set<std::string> names;
  std::uint64_t segment_bytes = 0;
  for (const auto& entry : entries) {
    if (entry.folder || entry.size_bytes() <= 0 || entry.name.size() != 24) continue;
    names.insert(entry.name);
    segment_bytes = std::max(segment_bytes, static_cast<std::uint64_t>(entry.size_bytes()));
  }
  if (names.empty()) return {};
  carries = true;
  std::uint64_t seen = 0;
  for (const auto& range : manifest.wal_ranges) {
    const auto last = range.end.bytes == 0 ? 0 : (range.end.bytes - 1) / segment_bytes;
    for (auto number = range.start.bytes / segment_bytes; number <= last; ++number) {
      if (++seen > kWalSegmentsChecked) return {};
      const auto name = pg::WalSegment{range.timeline, number}.name(segment_bytes);
      if (names.count(name) == 0) return name;
    }
  }
  return {};
}

std::optional<std::uint64_t> read_system_identifier(int folder_fd) {
  std::string reason;
  const auto folder = open_folder_at(folder_fd, "global", reason);
  if (!folder.open()) return std::nullopt;
  const auto file = open_file_at(folder.get(), "pg_control", reason);
  if (!file.open()) return std::nullopt;
  const auto bytes = read_at(file.get(), 0, sizeof(std::uint64_t));
  std::uint64_t value = 0;
  if (bytes.size() != sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

/// START TIME of backup_label, for a manifest that does not name the file.
std::string label_start(int folder_fd) {
  std::string reason;
  const auto file = open_file_at(folder_fd, std::string(kLabel), reason);
  if (!file.open()) return {};
  const auto text = read_at(file.get(), 0, 4096);
  constexpr std::string_view key = "START TIME: ";
  const auto at = text.find(key);
  if (at == std::string::npos) return {};
  return text.substr(at + key.size(), text.find('\n', at) - at - key.size());
}

/// A tar ends with two blocks of zeros. A compressed one tells nothing without being read.
bool tar_may_be_whole(int folder_fd, const Entry& tar) {
  if (tar.name != "base.tar") return tar.size_bytes() > 0;
  constexpr std::size_t end_bytes = 1024;
  std::string reason;
  const auto file = open_file_at(folder_fd, tar.name, reason);
  return file.open() &&
         read_tail(file.get(), tar.size_bytes(), end_bytes) == std::string(end_bytes, '\0');
}

void set_recovery_point(BackupRecord& record, const std::string& stamp) {
  record.recovery_point = record.finished_at;
  record.time_source = TimeSource::file_time;
  if (const auto start = parse_gmt(stamp)) {
    record.recovery_point = *start;
    record.time_source = TimeSource::label;
  }
}

void judge_finished(BackupRecord& record, int folder_fd, const std::vector<Entry>& entries,
                    const Entry& manifest_entry, Deadline deadline) {
  record.finished_at = manifest_entry.identity.modified();
  set_recovery_point(record, label_start(folder_fd));
  const auto give = [&](BackupState state, std::string reason) {
    record.state = state;
    record.reason = std::move(reason);
  };
  if (manifest_entry.size_bytes() > kManifestBytesMax) {
    return give(BackupState::unknown,
                fmt::format("its manifest is larger than {}", format_bytes(kManifestBytesMax)));
  }
  const Entry* tar = find_tar(entries);
  Comparison comparison{folder_fd, deadline};
  comparison.on_disk = tar == nullptr;
  comparison.stride = 1 + manifest_entry.size_bytes() / kManifestLineBytes / kManifestFilesChecked;
  std::string reason;
  const auto file = open_file_at(folder_fd, std::string(kManifest), reason);
  if (!file.open()) {
    return give(BackupState::unknown, "its manifest cannot be opened: " + reason);
  }
  std::ifstream text(fmt::format("/proc/self/fd/{}", file.get()), std::ios::binary);
  Manifest manifest;
  const bool parsed = parse_manifest(
      text, manifest, [&](const ManifestFile& each) { return comparison.take(each); });
  record.system_identifier =
      manifest.system_identifier ? manifest.system_identifier : read_system_identifier(folder_fd);
  record.size_bytes = manifest.size_bytes;
  if (!comparison.label_stamp.empty()) set_recovery_point(record, comparison.label_stamp);
  if (comparison.out_of_time) return give(BackupState::unknown, "not compared in time");
  if (!comparison.trouble.empty()) return give(BackupState::failed, comparison.trouble);
  if (!parsed) return give(BackupState::failed, "its manifest is cut or damaged");

  give(BackupState::complete_unverified, {});
  if (tar != nullptr) {
    record.format = tar->name;
    record.size_bytes = 0;
    for (const auto& entry : entries) record.size_bytes += entry.size_bytes();
    if (!tar_may_be_whole(folder_fd, *tar)) {
      return give(BackupState::failed, tar->name + " is empty or cut");
    }
    record.reason = "tar: what is in it was not compared with the manifest";
    return;
  }
  bool carries_wal = false;
  const auto segment = missing_segment(folder_fd, deadline, manifest, carries_wal);
  if (!segment.empty()) {
    return give(BackupState::failed, fmt::format("WAL segment {} is missing in pg_wal", segment));
  }
  if (comparison.skipped > 0) {
    record.reason = fmt::format("{} of {} files compared", comparison.checked, manifest.files);
  }
  if (!carries_wal) record.reason = "without WAL: good only with the archive";
  if (comparison.incremental) {
    record.format = "base.incremental";
    record.reason = "incremental: good only with its chain";
  }
}

}  // namespace

struct BaseReader::Visit {
  Deadline deadline;
  WallClock::time_point now;
  std::map<std::string, FileIdentity> unfinished;
  BackupLook look;
};

BackupLook BaseReader::look(const std::string& path, Deadline deadline, WallClock::time_point now) {
  Visit visit{deadline, now, {}, {}};
  const auto folder = open_folder(path, visit.look.reason);
  std::vector<Entry> entries;
  if (!folder.open() || !list_folder(folder.get(), deadline, entries, visit.look.reason)) {
    return std::move(visit.look);
  }
  visit.look.readable = true;
  if (looks_like_base(entries)) {
    visit_backup(visit, std::filesystem::path(path).filename().string(), folder.get(), entries);
    entries.clear();
  }
  std::size_t left_out = 0;
  for (const auto& entry : entries) {
    if (!entry.folder || ignored_name(entry.name)) continue;
    if (visit.look.records.size() >= kBackupRecordsMax || deadline.expired()) {
      ++left_out;
      continue;
    }
    std::string reason;
    std::vector<Entry> files;
    const auto inner = open_folder_at(folder.get(), entry.name, reason);
    if (!inner.open() || !list_folder(inner.get(), deadline, files, reason)) {
      BackupRecord record;
      record.name = entry.name;
      record.format = "base";
      record.finished_at = record.recovery_point = entry.identity.modified();
      record.reason = "it cannot be listed: " + reason;
      visit.look.records.push_back(std::move(record));
    } else if (looks_like_base(files) || (files.empty() && has_digit(entry.name))) {
      visit_backup(visit, entry.name, inner.get(), files);
    }
  }
  if (left_out > 0) {
    visit.look.reason = fmt::format("{} older folders were not looked at: {}", left_out,
                                    deadline.expired() ? "the time was up" : "too many");
  }
  unfinished_ = std::move(visit.unfinished);
  sort_and_bound(visit.look.records);
  return std::move(visit.look);
}

void BaseReader::visit_backup(Visit& visit, const std::string& name, int folder_fd,
                              const std::vector<Entry>& entries) {
  BackupRecord record;
  record.name = name;
  record.format = "base";
  if (const Entry* manifest = find(entries, kManifest); manifest != nullptr) {
    judge_finished(record, folder_fd, entries, *manifest, visit.deadline);
  } else {
    judge_unfinished(visit, record, folder_fd, entries);
  }
  refuse_future(record, visit.now);
  visit.look.records.push_back(std::move(record));
}

void BaseReader::judge_unfinished(Visit& visit, BackupRecord& record, int folder_fd,
                                  const std::vector<Entry>& entries) {
  FileIdentity sum;
  std::size_t left = kTreeEntriesMax;
  struct stat status {};
  if (entries.empty() && ::fstat(folder_fd, &status) == 0) {
    sum.modified_ns = static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000;
  }
  sum_tree(folder_fd, visit.deadline, 0, left, sum);
  record.size_bytes = sum.size_bytes;
  record.finished_at = sum.modified();
  set_recovery_point(record, label_start(folder_fd));
  const auto before = unfinished_.find(record.name);
  const bool grows = before != unfinished_.end() && !(before->second == sum);
  const auto since_write = visit.now - record.finished_at;
  const bool just_written = since_write < options_.settle_ms && since_write > -kClockSkewAllowed;
  record.state = grows || just_written ? BackupState::running : BackupState::partial;
  record.reason = "it has no backup_manifest, which is written last";
  visit.unfinished.emplace(record.name, sum);
}

BackupKind base_kind() {
  return {"base", "a folder of base backups that pg_basebackup wrote, or one of them",
          [](const ReaderOptions& options) -> std::unique_ptr<Reader> {
            return std::make_unique<BaseReader>(options);
          }};
}

}  // namespace pantryd::backup
