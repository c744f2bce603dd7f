// Invariant: no read passes the end of the bytes given; a number that would make us do so ends the
// parse, because the file may be cut anywhere or hold anything.
#include "probes/backup/readers/pg_dump/archive_toc.h"

#include <algorithm>
#include <utility>

namespace pantryd::backup {
namespace {

constexpr std::int64_t kStringBytesMax = 32 << 20;
constexpr std::int64_t kTocEntriesMax = 5'000'000;
constexpr std::int64_t kDependenciesMax = 1'000'000;
constexpr std::int64_t kChunkBytesMax = std::int64_t{1} << 31;
constexpr int kBlockData = 1;
constexpr int kBlockLargeObjects = 3;

std::int64_t decode_int(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t at = bytes.size() - 1; at > 0; --at) {
    value = (value << 8U) | static_cast<unsigned char>(bytes[at]);
  }
  const auto magnitude = static_cast<std::int64_t>(value & 0x7fffffffffffffffU);
  return bytes[0] != 0 ? -magnitude : magnitude;
}

/// Thrown inside this file only.
struct Stop {
  TocParse why;
};

class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

  int byte() { return static_cast<unsigned char>(take(1)[0]); }
  std::int64_t integer() {
    const auto bytes = take(1 + int_size);
    // pg_dump writes no other sign: we have lost our way.
    if (bytes[0] != 0 && bytes[0] != 1) throw Stop{TocParse::damaged};
    return decode_int(bytes);
  }
  /// NULL reads as "".
  std::string_view text() {
    const auto length = integer();
    if (length < 0) return {};
    if (length > kStringBytesMax) throw Stop{TocParse::damaged};
    return take(static_cast<std::size_t>(length));
  }
  bool text_or_null(std::string_view& out) {
    const auto length = integer();
    if (length < 0) return false;
    if (length > kStringBytesMax) throw Stop{TocParse::damaged};
    out = take(static_cast<std::size_t>(length));
    return true;
  }
  std::uint64_t raw(std::size_t length) {
    const auto bytes = take(length);
    std::uint64_t value = 0;
    for (std::size_t at = length; at > 0; --at) {
      value = (value << 8U) | static_cast<unsigned char>(bytes[at - 1]);
    }
    return value;
  }
  std::string_view take(std::size_t length) {
    if (length > bytes_.size() - at_) throw Stop{TocParse::need_more};
    at_ += length;
    return bytes_.substr(at_ - length, length);
  }
  [[nodiscard]] std::size_t at() const { return at_; }

  std::size_t int_size = 4;
  std::size_t offset_size = 8;

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

void read_head(Cursor& in, ArchiveToc& toc) {
  if (in.take(5) != "PGDMP") throw Stop{TocParse::not_an_archive};
  const int major = in.byte();
  toc.version_minor = in.byte();
  in.byte();  // revision
  if (major != 1 || toc.version_minor < kArchiveMinorMin || toc.version_minor > kArchiveMinorMax) {
    throw Stop{TocParse::unsupported};
  }
  toc.int_size = in.byte();
  const int offset_size = in.byte();
  toc.format = in.byte();
  if (toc.int_size < 2 || toc.int_size > 8 || offset_size < 2 || offset_size > 8) {
    throw Stop{TocParse::damaged};
  }
  in.int_size = static_cast<std::size_t>(toc.int_size);
  in.offset_size = static_cast<std::size_t>(offset_size);
  if (toc.format != 1 && toc.format != 3) throw Stop{TocParse::unsupported};
  // A level before 1.15, an algorithm since.
  if (toc.version_minor >= 15) {
    in.byte();
  } else {
    in.integer();
  }
  toc.created.tm_sec = static_cast<int>(in.integer());
  toc.created.tm_min = static_cast<int>(in.integer());
  toc.created.tm_hour = static_cast<int>(in.integer());
  toc.created.tm_mday = static_cast<int>(in.integer());
  toc.created.tm_mon = static_cast<int>(in.integer());
  toc.created.tm_year = static_cast<int>(in.integer());
  toc.created.tm_isdst = static_cast<int>(in.integer());
  toc.database = in.text();
  toc.server_version = in.text();
  in.text();  // version of pg_dump
}

/// One entry; true when it has data.
bool read_entry(Cursor& in, const ArchiveToc& toc, TocEntry& entry) {
  entry.dump_id = in.integer();
  const bool has_data = in.integer() != 0;
  for (int skipped = 0; skipped < 4; ++skipped) in.text();  // table oid, oid, tag, description
  in.integer();                                             // section
  in.text();                                                // definition
  in.text();                                                // drop statement
  entry.copy = !in.text().empty();
  in.text();                                  // schema
  in.text();                                  // tablespace
  if (toc.version_minor >= 14) in.text();     // table access method
  if (toc.version_minor >= 16) in.integer();  // relkind
  in.text();                                  // owner
  in.text();                                  // "false", once WITH OIDS
  std::string_view dependency;
  for (std::int64_t seen = 0; in.text_or_null(dependency); ++seen) {
    if (seen > kDependenciesMax) throw Stop{TocParse::damaged};
  }
  if (toc.format == 1) {
    entry.offset_flag = in.byte();
    entry.offset = in.raw(in.offset_size);
  } else {
    entry.file = in.text();
  }
  return has_data;
}

}  // namespace

TocParse parse_toc(std::string_view bytes, ArchiveToc& toc) {
  toc = {};
  try {
    Cursor in(bytes);
    read_head(in, toc);
    const auto count = in.integer();
    if (count < 0 || count > kTocEntriesMax) return TocParse::damaged;
    for (std::int64_t index = 0; index < count; ++index) {
      TocEntry entry;
      if (read_entry(in, toc, entry)) toc.data.push_back(std::move(entry));
    }
    toc.size_bytes = in.at();
    return TocParse::ok;
  } catch (const Stop& stop) {
    return stop.why;
  }
}

BlockWalk::BlockWalk(const ArchiveToc& toc)
    : int_bytes_(1 + static_cast<std::size_t>(toc.int_size)) {
  for (const auto& entry : toc.data) seen_.emplace(entry.dump_id, false);
  missing_ = seen_.size();
}

void BlockWalk::feed(std::string_view bytes) {
  while (!bytes.empty() && phase_ != Phase::damaged) {
    if (phase_ == Phase::skip) {
      const auto step = std::min<std::uint64_t>(skip_bytes_, bytes.size());
      bytes.remove_prefix(static_cast<std::size_t>(step));
      skip_bytes_ -= step;
      if (skip_bytes_ == 0) phase_ = Phase::length;
      continue;
    }
    if (phase_ == Phase::type) {
      const int type = static_cast<unsigned char>(bytes.front());
      bytes.remove_prefix(1);
      large_objects_ = type == kBlockLargeObjects;
      phase_ = type == kBlockData || large_objects_ ? Phase::id : Phase::damaged;
      continue;
    }
    const auto wanted = std::min(int_bytes_ - pending_.size(), bytes.size());
    pending_.append(bytes.substr(0, wanted));
    bytes.remove_prefix(wanted);
    if (pending_.size() < int_bytes_) return;
    const auto value = decode_int(pending_);
    pending_.clear();
    take(value);
  }
}

void BlockWalk::take(std::int64_t value) {
  if (phase_ == Phase::id) {
    const auto found = seen_.find(value);
    if (found == seen_.end()) {
      phase_ = Phase::damaged;
      return;
    }
    if (!std::exchange(found->second, true)) --missing_;
    phase_ = large_objects_ ? Phase::large_object : Phase::length;
  } else if (phase_ == Phase::large_object) {
    phase_ = value == 0 ? Phase::type : Phase::length;
  } else if (value == 0) {
    phase_ = large_objects_ ? Phase::large_object : Phase::type;
  } else if (value < 0 || value > kChunkBytesMax) {
    phase_ = Phase::damaged;
  } else {
    skip_bytes_ = static_cast<std::uint64_t>(value);
    phase_ = Phase::skip;
  }
}

}  // namespace pantryd::backup
