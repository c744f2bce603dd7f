// Invariant: a verdict "complete" is given only for a file whose END was seen to be one: a trailer,
// a closed block, a closed gzip member. Everything else is partial, failed or unknown.
#include "probes/backup/readers/pg_dump/dump_content.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/units.h"
#include "probes/backup/folder.h"

namespace pantryd::backup {
namespace {

constexpr std::string_view kPlainHead = "-- PostgreSQL database dump\n";
constexpr std::string_view kClusterHead = "-- PostgreSQL database cluster dump\n";
constexpr std::string_view kPlainTrailer = "\n--\n-- PostgreSQL database dump complete\n--\n";
constexpr std::string_view kClusterTrailer =
    "\n--\n-- PostgreSQL database cluster dump complete\n--\n";
constexpr std::size_t kTocFirstReadBytes = 64U << 10U;
constexpr std::size_t kBlocksChecked = 256;
constexpr std::size_t kTarHeaderBytes = 512;
constexpr std::int64_t kLastBlockWalkedBytes = 4 << 20;

std::string without_returns(std::string_view text) {
  std::string out(text);
  std::erase(out, '\r');
  return out;
}

/// Files that lie beside dumps and are none: they count only when they look like a dump.
bool companion_name(std::string_view name) {
  constexpr std::array<std::string_view, 12> endings{".log",  ".txt",    ".md",     ".md5",
                                                     ".sha1", ".sha256", ".sha512", ".sum",
                                                     ".json", ".asc",    ".sig",    ".sh"};
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

/// The name of a compression or encryption that is not read here; "" for anything else.
std::string_view foreign_format(std::string_view head, std::string_view name) {
  using namespace std::string_view_literals;
  if (head.starts_with("\x28\xb5\x2f\xfd"sv)) return "zstd";
  if (head.starts_with("\xfd"sv
                       "7zXZ\0"sv))
    return "xz";
  if (head.starts_with("\x04\x22\x4d\x18"sv)) return "lz4";
  if (head.starts_with("BZh"sv)) return "bzip2";
  if (head.starts_with("PK\x03\x04"sv)) return "zip";
  if (head.starts_with("age-encryption.org"sv)) return "age";
  if (name.ends_with(".gpg") || name.ends_with(".enc") || name.ends_with(".age"))
    return "encrypted";
  return {};
}

std::string unread_reason(std::string_view format) {
  return fmt::format("{} is not looked into; write NAME.pantryd.json with its size_bytes beside it",
                     format);
}

bool all_zero(std::string_view bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](char each) { return each == '\0'; });
}

TocParse read_toc(int fd, std::int64_t from, std::int64_t size_bytes, ArchiveToc& toc) {
  for (std::size_t length = kTocFirstReadBytes;; length *= 2) {
    const auto bytes = read_at(fd, from, length);
    const auto parse = parse_toc(bytes, toc);
    if (parse != TocParse::need_more) return parse;
    if (from + static_cast<std::int64_t>(bytes.size()) >= size_bytes) return TocParse::need_more;
    if (length >= kTocBytesMax) return TocParse::damaged;
  }
}

std::optional<DumpContent> toc_trouble(TocParse parse, const std::string& format) {
  switch (parse) {
    case TocParse::ok:
      return std::nullopt;
    case TocParse::need_more:
      return DumpContent::bad(format, BackupState::failed,
                              "cut inside its header or its table of contents");
    case TocParse::unsupported:
      return DumpContent::bad(format, BackupState::unknown,
                              "an archive version that pantryd does not know");
    case TocParse::not_an_archive:
    case TocParse::damaged:
      break;
  }
  return DumpContent::bad(format, BackupState::failed, "its table of contents is damaged");
}

DumpContent complete(std::string format, const ArchiveToc& toc) {
  DumpContent content;
  content.format = std::move(format);
  content.state = BackupState::complete_unverified;
  content.created = toc.created;
  if (toc.data.empty()) content.reason = "it holds no table data";
  return content;
}

DumpContent spoiled(BackupState state, const ArchiveToc& toc, std::string reason) {
  auto content = DumpContent::bad("custom", state, std::move(reason));
  content.created = toc.created;
  return content;
}

/// Does the file end where its last block does? A short block is walked. Of a long one only the
/// closing zeros are read: a length of zero, and after large objects an oid of zero too.
bool last_block_closed(int fd, std::int64_t size_bytes, const ArchiveToc& toc, const TocEntry& last,
                       ReadBudget& budget) {
  const auto begin = static_cast<std::int64_t>(last.offset);
  const auto length = size_bytes - begin;
  if (length <= std::min(kLastBlockWalkedBytes, budget.bytes) && !budget.spent()) {
    budget.bytes -= length;
    BlockWalk walk(toc);
    walk.feed(read_at(fd, begin, static_cast<std::size_t>(length)));
    return walk.at_boundary();
  }
  const bool large_objects = read_at(fd, begin, 1) == "\x03";
  const auto zeros = (static_cast<std::size_t>(toc.int_size) + 1) * (large_objects ? 2 : 1);
  return all_zero(read_tail(fd, size_bytes, zeros));
}

/// A custom archive whose offsets are all set: pg_dump went back to write them when it was done,
/// so that what remains to be found is a file that was cut or damaged later.
DumpContent judge_finished_custom(int fd, std::int64_t size_bytes, const ArchiveToc& toc,
                                  ReadBudget& budget) {
  std::size_t checked = 0;
  const TocEntry* last = nullptr;
  for (const auto& entry : toc.data) {
    if (entry.offset_flag != 2) continue;
    if (last == nullptr || entry.offset > last->offset) last = &entry;
    if (entry.offset < toc.size_bytes ||
        entry.offset + 1 >= static_cast<std::uint64_t>(size_bytes)) {
      return spoiled(BackupState::failed, toc,
                     fmt::format("cut: it is {} long, and data begins at byte {}",
                                 format_bytes(size_bytes), entry.offset));
    }
    if (++checked > kBlocksChecked) continue;
    const auto block = read_at(fd, static_cast<std::int64_t>(entry.offset), 1);
    if (block != "\x01" && block != "\x03") {
      return spoiled(BackupState::failed, toc,
                     fmt::format("no block of data where one should be, at byte {}", entry.offset));
    }
  }
  if (last != nullptr && !last_block_closed(fd, size_bytes, toc, *last, budget)) {
    return spoiled(BackupState::failed, toc, "cut: its last block of data is not closed");
  }
  if (last == nullptr && static_cast<std::int64_t>(toc.size_bytes) != size_bytes) {
    return spoiled(BackupState::failed, toc, "bytes follow a table of contents without data");
  }
  return complete("custom", toc);
}

DumpContent read_on(int fd, std::int64_t size_bytes, std::string_view name, bool gzip,
                    const char* format, std::unique_ptr<ReadThrough>& walk, ReadBudget& budget) {
  if (walk == nullptr && !budget.spent()) walk = std::make_unique<ReadThrough>(gzip);
  if (walk != nullptr) {
    if (auto verdict = walk->step(fd, name, budget)) {
      walk.reset();
      return *verdict;
    }
  }
  auto content =
      DumpContent::bad(format, BackupState::unknown,
                       fmt::format("being read through: {} of {}",
                                   format_bytes(walk == nullptr ? 0 : walk->offset_bytes()),
                                   format_bytes(size_bytes)));
  content.settled = false;
  return content;
}

DumpContent judge_custom(int fd, std::int64_t size_bytes, std::string_view name,
                         std::unique_ptr<ReadThrough>& walk, ReadBudget& budget) {
  ArchiveToc toc;
  if (auto trouble = toc_trouble(read_toc(fd, 0, size_bytes, toc), "custom")) return *trouble;
  const bool unset = std::any_of(toc.data.begin(), toc.data.end(),
                                 [](const auto& entry) { return entry.offset_flag == 1; });
  if (!unset) return judge_finished_custom(fd, size_bytes, toc, budget);
  auto content = read_on(fd, size_bytes, name, false, "custom", walk, budget);
  content.created = toc.created;
  return content;
}

DumpContent judge_tar(int fd, std::int64_t size_bytes) {
  ArchiveToc toc;
  if (auto trouble = toc_trouble(read_toc(fd, kTarHeaderBytes, size_bytes, toc), "tar")) {
    return *trouble;
  }
  const auto end = read_tail(fd, size_bytes, 2 * kTarHeaderBytes);
  if (end.size() < 2 * kTarHeaderBytes || !all_zero(end) ||
      size_bytes % static_cast<std::int64_t>(kTarHeaderBytes) != 0) {
    auto content = DumpContent::bad("tar", BackupState::partial, "its closing blocks are missing");
    content.created = toc.created;
    return content;
  }
  return complete("tar", toc);
}

}  // namespace

DumpContent DumpContent::bad(std::string format, BackupState state, std::string reason) {
  DumpContent content;
  content.format = std::move(format);
  content.state = state;
  content.reason = std::move(reason);
  return content;
}

DumpContent judge_plain(std::string_view raw_head, std::string_view raw_tail,
                        std::string_view name) {
  const auto head = without_returns(raw_head);
  const auto tail = without_returns(raw_tail);
  const auto trailer_at = [&](std::string_view trailer) { return tail.rfind(trailer); };
  const bool cluster = head.find(kClusterHead) != std::string::npos;
  const bool plain = head.find(kPlainHead) != std::string::npos;
  const auto at = trailer_at(cluster ? kClusterTrailer : kPlainTrailer);
  if (!cluster && !plain && at == std::string::npos) {
    auto content = DumpContent::bad("other", BackupState::failed,
                                    "not a dump: neither its begin nor its end is one");
    content.backup = !companion_name(name);
    return content;
  }
  const std::string format = cluster ? "cluster" : "plain";
  // A second dump that begins after the trailer is one that was appended and then cut.
  const bool begun_again =
      at != std::string::npos && (tail.find(kPlainHead, at) != std::string::npos ||
                                  tail.find(kClusterHead, at) != std::string::npos);
  if (at == std::string::npos || begun_again) {
    return DumpContent::bad(format, BackupState::partial,
                            cluster ? "it ends before \"cluster dump complete\""
                                    : "it ends before \"database dump complete\"");
  }
  DumpContent content;
  content.format = format;
  content.state = BackupState::complete_unverified;
  return content;
}

DumpContent judge_file(int fd, std::int64_t size_bytes, std::string_view name,
                       std::unique_ptr<ReadThrough>& walk, ReadBudget& budget) {
  if (size_bytes == 0) {
    auto content = DumpContent::bad("other", BackupState::failed, "empty file");
    content.backup = !companion_name(name);
    return content;
  }
  const auto head = read_at(fd, 0, kHeadBytes);
  if (head.empty()) return DumpContent::bad("other", BackupState::unknown, "it cannot be read");
  if (head.starts_with("\x1f\x8b")) {
    return read_on(fd, size_bytes, name, true, "gzip", walk, budget);
  }
  if (head.starts_with("PGDMP")) return judge_custom(fd, size_bytes, name, walk, budget);
  if (head.starts_with(std::string_view("toc.dat\0", 8))) return judge_tar(fd, size_bytes);
  if (const auto format = foreign_format(head, name); !format.empty()) {
    return DumpContent::bad(std::string(format), BackupState::unknown, unread_reason(format));
  }
  return judge_plain(head, read_tail(fd, size_bytes, kTailBytes), name);
}

}  // namespace pantryd::backup
