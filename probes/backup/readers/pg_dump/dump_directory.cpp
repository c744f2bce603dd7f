// Invariant: "complete" needs every file that the table of contents names; what was not opened is
// said in the reason.
#include "probes/backup/readers/pg_dump/dump_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <unordered_map>

namespace pantryd::backup {
namespace {

constexpr std::string_view kToc = "toc.dat";
constexpr std::array<std::string_view, 4> kSuffixes{"", ".gz", ".lz4", ".zst"};
constexpr std::size_t kTailsChecked = 2000;
constexpr std::size_t kGzipReadThrough = 4;
constexpr std::size_t kLargeObjectListBytes = 16U << 20U;
constexpr std::string_view kCopyEnd = "\\.\n\n\n";

using Files = std::unordered_map<std::string_view, const Entry*>;

const Entry* find_data(const Files& files, const std::string& name) {
  for (const auto suffix : kSuffixes) {
    const auto full = name + std::string(suffix);
    if (const auto found = files.find(full); found != files.end()) return found->second;
  }
  return nullptr;
}

/// "" when all is well. A list of large objects has a line "OID FILE" for each.
std::string check_large_objects(int folder_fd, const Entry& list, const Files& files) {
  std::string reason;
  const auto file = open_file_at(folder_fd, list.name, reason);
  std::istringstream lines(read_at(file.get(), 0, kLargeObjectListBytes));
  std::string oid;
  std::string name;
  while (lines >> oid >> name) {
    if (find_data(files, name) == nullptr) return fmt::format("{} is missing", name);
  }
  return {};
}

/// "" when the file may be whole.
std::string check_end(int folder_fd, const TocEntry& entry, const Entry& file) {
  if (file.name.ends_with(".gz") || file.name.ends_with(".lz4") || file.name.ends_with(".zst")) {
    return file.size_bytes() == 0 ? fmt::format("{} is empty", file.name) : std::string();
  }
  if (!entry.copy) return {};
  std::string reason;
  const auto opened = open_file_at(folder_fd, file.name, reason);
  if (!opened.open()) return fmt::format("{} cannot be opened: {}", file.name, reason);
  const auto end = read_tail(opened.get(), file.size_bytes(), kCopyEnd.size());
  return end == kCopyEnd ? std::string() : fmt::format("{} is cut", file.name);
}

/// Reads a member through; what it holds is COPY data, so that only the gzip frame is judged.
std::string check_gzip(int folder_fd, const Entry& file, ReadBudget& budget, bool& read) {
  std::string reason;
  const auto opened = open_file_at(folder_fd, file.name, reason);
  if (!opened.open()) return fmt::format("{} cannot be opened: {}", file.name, reason);
  ReadThrough walk(true);
  const auto verdict = walk.step(opened.get(), file.name, budget);
  read = verdict.has_value();
  return read && !walk.whole_stream() ? fmt::format("{} is cut or damaged", file.name)
                                      : std::string();
}

DumpContent incomplete(const ArchiveToc& toc, BackupState state, std::string reason) {
  auto content = DumpContent::bad("directory", state, std::move(reason));
  content.created = toc.created;
  return content;
}

DumpContent check_files(int folder_fd, const std::vector<Entry>& entries, const ArchiveToc& toc,
                        ReadBudget& budget) {
  Files files;
  for (const auto& entry : entries) files.emplace(entry.name, &entry);
  std::size_t missing = 0;
  std::size_t tails = 0;
  std::string first_missing;
  for (const auto& entry : toc.data) {
    if (entry.file.empty()) continue;
    const Entry* file = find_data(files, entry.file);
    if (file == nullptr) {
      if (missing++ == 0) first_missing = entry.file;
      continue;
    }
    std::string trouble;
    if (entry.file.starts_with("blobs")) {
      trouble = check_large_objects(folder_fd, *file, files);
    } else if (++tails <= kTailsChecked && !budget.deadline.expired()) {
      trouble = check_end(folder_fd, entry, *file);
    }
    if (!trouble.empty()) return incomplete(toc, BackupState::partial, trouble);
  }
  if (missing > 0) {
    return incomplete(toc, BackupState::partial,
                      fmt::format("{} of {} data files are missing, first {}", missing,
                                  toc.data.size(), first_missing));
  }
  std::size_t opened = 0;
  std::size_t unread = 0;
  for (const auto& entry : entries) {  // newest modification first
    if (!entry.name.ends_with(".gz")) continue;
    bool read = false;
    if (opened++ < kGzipReadThrough) {
      const auto trouble = check_gzip(folder_fd, entry, budget, read);
      if (!trouble.empty()) return incomplete(toc, BackupState::partial, trouble);
    }
    if (!read) ++unread;
  }
  auto content = incomplete(toc, BackupState::complete_unverified, {});
  if (toc.data.empty()) content.reason = "it holds no table data";
  if (unread > 0) content.reason = fmt::format("{} compressed files were not read through", unread);
  return content;
}

}  // namespace

bool is_dump_directory(const std::vector<Entry>& entries) {
  return std::any_of(entries.begin(), entries.end(),
                     [](const Entry& entry) { return !entry.folder && entry.name == kToc; });
}

FileIdentity directory_identity(int folder_fd, const std::vector<Entry>& entries) {
  FileIdentity identity;
  struct stat status {};
  if (::fstat(folder_fd, &status) == 0) {
    identity.device = status.st_dev;
    identity.inode = status.st_ino;
    identity.modified_ns =
        static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
  }
  // The folder's own time tells only that an entry came or went; its files' tell the writing.
  std::int64_t newest_ns = 0;
  for (const auto& entry : entries) {
    if (entry.folder) continue;
    identity.size_bytes += entry.size_bytes();
    newest_ns = std::max(newest_ns, entry.identity.modified_ns);
  }
  if (newest_ns != 0) identity.modified_ns = newest_ns;
  return identity;
}

DumpContent judge_directory(int folder_fd, const std::vector<Entry>& entries, ReadBudget& budget) {
  const auto toc_entry = std::find_if(entries.begin(), entries.end(),
                                      [](const Entry& entry) { return entry.name == kToc; });
  if (toc_entry == entries.end()) {
    return DumpContent::bad("directory", BackupState::partial, "it has no toc.dat");
  }
  std::string reason;
  const auto file = open_file_at(folder_fd, toc_entry->name, reason);
  if (!file.open()) {
    return DumpContent::bad("directory", BackupState::unknown,
                            fmt::format("toc.dat cannot be opened: {}", reason));
  }
  ArchiveToc toc;
  const auto length = std::min<std::int64_t>(toc_entry->size_bytes(), kTocBytesMax);
  const auto parse = parse_toc(read_at(file.get(), 0, static_cast<std::size_t>(length)), toc);
  if (parse == TocParse::ok) return check_files(folder_fd, entries, toc, budget);
  if (parse == TocParse::unsupported) {
    return DumpContent::bad("directory", BackupState::unknown,
                            "an archive version that pantryd does not know");
  }
  return DumpContent::bad("directory", BackupState::failed, "its toc.dat is cut or damaged");
}

}  // namespace pantryd::backup
