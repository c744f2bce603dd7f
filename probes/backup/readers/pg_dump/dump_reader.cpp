// Invariants: seen_ holds only names of the last look, so it is as bounded as the look is; a
// content in seen_ belongs to exactly the identity beside it.
#include "probes/backup/readers/pg_dump/dump_reader.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "probes/backup/readers/pg_dump/dump_directory.h"

namespace pantryd::backup {
namespace {

constexpr std::size_t kSidecarBytesMax = 64U << 10U;
constexpr std::string_view kSidecarEnding = ".pantryd.json";

struct Sidecar {
  std::optional<WallClock::time_point> started_at;
  std::optional<std::int64_t> size_bytes;
};

Sidecar read_sidecar(int folder_fd, const std::string& name) {
  Sidecar sidecar;
  std::string reason;
  const auto file = open_file_at(folder_fd, name + std::string(kSidecarEnding), reason);
  if (!file.open()) return sidecar;
  const auto document =
      nlohmann::json::parse(read_at(file.get(), 0, kSidecarBytesMax), nullptr, false);
  if (!document.is_object()) return sidecar;
  const auto start = document.find("start_epoch");
  constexpr double year_3000_s = 32'503'680'000.0;
  if (start != document.end() && start->is_number() && start->get<double>() > 0 &&
      start->get<double>() < year_3000_s) {
    sidecar.started_at = WallClock::time_point(std::chrono::duration_cast<WallClock::duration>(
        std::chrono::duration<double>(start->get<double>())));
  }
  const auto size = document.find("size_bytes");
  if (size != document.end() && size->is_number_integer()) {
    sidecar.size_bytes = size->get<std::int64_t>();
  }
  return sidecar;
}

std::optional<WallClock::time_point> local_time(std::tm fields) {
  const bool plausible = fields.tm_year >= 100 && fields.tm_year < 400 && fields.tm_mon >= 0 &&
                         fields.tm_mon < 12 && fields.tm_mday >= 1 && fields.tm_mday <= 31 &&
                         fields.tm_hour >= 0 && fields.tm_hour < 24 && fields.tm_min >= 0 &&
                         fields.tm_min < 60 && fields.tm_sec >= 0 && fields.tm_sec <= 60;
  if (!plausible) return std::nullopt;
  fields.tm_isdst = -1;
  const std::time_t seconds = ::mktime(&fields);
  if (seconds == static_cast<std::time_t>(-1)) return std::nullopt;
  return WallClock::from_time_t(seconds);
}

void set_times(BackupRecord& record, const DumpContent& content, const Sidecar& sidecar) {
  const auto archive = content.created ? local_time(*content.created) : std::nullopt;
  const auto started = sidecar.started_at ? sidecar.started_at : archive;
  record.recovery_point = record.finished_at;
  record.time_source = TimeSource::file_time;
  if (started && *started <= record.finished_at) {
    record.recovery_point = *started;
    record.time_source = TimeSource::content;
  }
}

void apply_size(BackupRecord& record, const Sidecar& sidecar) {
  if (!sidecar.size_bytes || record.size_bytes == 0) return;
  if (*sidecar.size_bytes != record.size_bytes) {
    record.state = BackupState::partial;
    record.reason =
        fmt::format("its sidecar says {} bytes, it has {}", *sidecar.size_bytes, record.size_bytes);
  } else if (record.state == BackupState::unknown) {
    record.state = BackupState::complete_unverified;
    record.reason = "by the size in its sidecar; not looked into";
  }
}

}  // namespace

struct DumpReader::Visit {
  int folder_fd;
  WallClock::time_point now;
  ReadBudget budget;
  std::map<std::string, Seen> next;
  BackupLook look;
};

BackupLook DumpReader::look(const std::string& path, Deadline deadline, WallClock::time_point now) {
  Visit visit{-1, now, {options_.read_budget_bytes, deadline}, {}, {}};
  const auto folder = open_folder(path, visit.look.reason);
  std::vector<Entry> entries;
  if (!folder.open() || !list_folder(folder.get(), deadline, entries, visit.look.reason)) {
    return std::move(visit.look);
  }
  visit.folder_fd = folder.get();
  visit.look.readable = true;
  std::size_t left_out = 0;
  if (is_dump_directory(entries)) {
    // The path is one dump itself.
    visit_directory(visit, std::filesystem::path(path).filename().string(), folder.get(), entries);
    entries.clear();
  }
  for (const auto& entry : entries) {
    if (ignored_name(entry.name)) continue;
    if (visit.next.size() >= kBackupRecordsMax || deadline.expired()) {
      ++left_out;
    } else if (entry.folder) {
      visit_folder(visit, entry);
    } else {
      visit_file(visit, entry);
    }
  }
  if (left_out > 0) {
    visit.look.reason = fmt::format("{} older entries were not looked at: {}", left_out,
                                    deadline.expired() ? "the time was up" : "too many");
  }
  seen_ = std::move(visit.next);
  sort_and_bound(visit.look.records);
  return std::move(visit.look);
}

DumpReader::Seen DumpReader::recall(const std::string& name, const FileIdentity& identity) {
  Seen seen;
  seen.identity = identity;
  const auto before = seen_.find(name);
  if (before == seen_.end()) return seen;
  if (before->second.identity == identity) {
    seen = std::move(before->second);
    seen.changed = false;
  } else {
    seen.changed = identity.changed_from(before->second.identity);
  }
  return seen;
}

void DumpReader::visit_file(Visit& visit, const Entry& entry) {
  auto seen = recall(entry.name, entry.identity);
  if (!seen.settled) {
    std::string reason;
    const auto file = open_file_at(visit.folder_fd, entry.name, reason);
    if (file.open()) {
      // What is still being written is not worth reading through.
      ReadBudget none{0, visit.budget.deadline};
      seen.content = judge_file(file.get(), entry.size_bytes(), entry.name, seen.walk,
                                seen.changed ? none : visit.budget);
      seen.settled = seen.content.settled;
    } else {
      seen.content =
          DumpContent::bad("other", BackupState::unknown, "it cannot be opened: " + reason);
    }
  }
  add_record(visit, entry.name, std::move(seen));
}

void DumpReader::visit_folder(Visit& visit, const Entry& entry) {
  std::string reason;
  std::vector<Entry> files;
  const auto folder = open_folder_at(visit.folder_fd, entry.name, reason);
  if (!folder.open() || !list_folder(folder.get(), visit.budget.deadline, files, reason)) {
    auto seen = recall(entry.name, entry.identity);
    seen.settled = false;
    seen.content =
        DumpContent::bad("directory", BackupState::unknown, "it cannot be listed: " + reason);
    add_record(visit, entry.name, std::move(seen));
  } else if (is_dump_directory(files) || (files.empty() && has_digit(entry.name))) {
    visit_directory(visit, entry.name, folder.get(), files);
  }
}

void DumpReader::visit_directory(Visit& visit, const std::string& name, int folder_fd,
                                 const std::vector<Entry>& files) {
  auto seen = recall(name, directory_identity(folder_fd, files));
  if (!seen.settled) {
    seen.content = judge_directory(folder_fd, files, visit.budget);
    seen.settled = true;
  }
  add_record(visit, name, std::move(seen));
}

void DumpReader::add_record(Visit& visit, const std::string& name, Seen seen) {
  if (seen.content.backup) {
    visit.look.records.push_back(make_record(visit, name, seen));
  }
  visit.next.emplace(name, std::move(seen));
}

BackupRecord DumpReader::make_record(const Visit& visit, const std::string& name,
                                     const Seen& seen) const {
  BackupRecord record;
  record.name = name;
  record.format = seen.content.format;
  record.finished_at = seen.identity.modified();
  record.size_bytes = seen.identity.size_bytes;
  record.state = seen.content.state;
  record.reason = seen.content.reason;
  const auto sidecar = read_sidecar(visit.folder_fd, name);
  set_times(record, seen.content, sidecar);
  apply_size(record, sidecar);
  const auto since_write = visit.now - record.finished_at;
  const bool just_written = since_write < options_.settle_ms && since_write > -kClockSkewAllowed;
  if (seen.changed) {
    record.state = BackupState::running;
    record.reason = "it changed since the last look";
  } else if (just_written && !record.good() && record.state != BackupState::unknown) {
    record.state = BackupState::running;
    record.reason = fmt::format("written to just now; so far: {}", record.reason);
  }
  refuse_future(record, visit.now);
  return record;
}

BackupKind pg_dump_kind() {
  return {"pg_dump", "a folder of dumps that pg_dump or pg_dumpall wrote",
          [](const ReaderOptions& options) -> std::unique_ptr<Reader> {
            return std::make_unique<DumpReader>(options);
          }};
}

}  // namespace pantryd::backup
