// Invariant: offset_bytes_ counts exactly the bytes of the file that stream_ has been given (or
// that the inflater has taken), so that a later step goes on where this one stopped.
#include <fmt/format.h>

#include <algorithm>

#include "probes/backup/folder.h"
#include "probes/backup/readers/pg_dump/dump_content.h"

namespace pantryd::backup {
namespace {

constexpr std::size_t kPieceBytes = 256U << 10U;
constexpr int kAutoDetectGzip = 15 + 16;

}  // namespace

void DumpStream::feed(std::string_view bytes) {
  total_bytes_ += bytes.size();
  if (head_.size() < kHeadBytes) head_.append(bytes.substr(0, kHeadBytes - head_.size()));
  if (bytes.size() >= kTailBytes) {
    tail_.assign(bytes.substr(bytes.size() - kTailBytes));
  } else {
    tail_.append(bytes);
    if (tail_.size() > kTailBytes) tail_.erase(0, tail_.size() - kTailBytes);
  }
  feed_archive(bytes);
}

void DumpStream::feed_archive(std::string_view bytes) {
  if (blocks_) {
    blocks_->feed(bytes);
    return;
  }
  if (parse_ != TocParse::need_more) return;
  toc_bytes_.append(bytes);
  // Doubling keeps the parses few: each begins at the front again.
  if (toc_bytes_.size() >= parse_at_bytes_) parse_collected();
}

void DumpStream::parse_collected() {
  parse_ = parse_toc(toc_bytes_, toc_);
  parse_at_bytes_ = 2 * toc_bytes_.size();
  if (parse_ == TocParse::need_more && toc_bytes_.size() > kTocBytesMax) parse_ = TocParse::damaged;
  if (parse_ == TocParse::need_more) return;
  if (parse_ == TocParse::ok && toc_.format == 1) {
    blocks_.emplace(toc_);
    blocks_->feed(std::string_view(toc_bytes_).substr(toc_.size_bytes));
  }
  toc_bytes_ = {};
}

DumpContent DumpStream::finish(std::string_view name) {
  if (!head_.starts_with("PGDMP")) return judge_plain(head_, tail_, name);
  if (parse_ == TocParse::need_more) parse_collected();
  if (parse_ == TocParse::unsupported) {
    return DumpContent::bad("custom", BackupState::unknown,
                            "an archive version that pantryd does not know");
  }
  if (!blocks_ || blocks_->damaged()) {
    return DumpContent::bad(
        "custom", BackupState::failed,
        blocks_ ? "its blocks of data are damaged" : "cut or damaged inside its table of contents");
  }
  DumpContent content;
  content.format = "custom";
  content.created = toc_.created;
  if (blocks_->whole()) {
    content.state = BackupState::complete_unverified;
    if (toc_.data.empty()) content.reason = "it holds no table data";
  } else {
    content.state = BackupState::partial;
    content.reason = blocks_->missing() == 0 ? "cut: its last block of data is not closed"
                                             : fmt::format("cut: {} of {} tables are not in it",
                                                           blocks_->missing(), toc_.data.size());
  }
  return content;
}

ReadThrough::ReadThrough(bool gzip) : gzip_(gzip) {
  if (!gzip_) return;
  out_.resize(kPieceBytes);
  damaged_ = ::inflateInit2(&inflater_, kAutoDetectGzip) != Z_OK;
}

ReadThrough::~ReadThrough() {
  if (gzip_) ::inflateEnd(&inflater_);
}

std::optional<DumpContent> ReadThrough::step(int fd, std::string_view name, ReadBudget& budget) {
  while (!budget.spent()) {
    const auto piece = read_at(fd, offset_bytes_, kPieceBytes);
    if (piece.empty()) return finish(name);
    if (!gzip_) {
      stream_.feed(piece);
    } else if (!inflate_piece(piece)) {
      return finish(name);
    }
    offset_bytes_ += static_cast<std::int64_t>(piece.size());
    budget.bytes -= static_cast<std::int64_t>(piece.size());
  }
  return std::nullopt;
}

bool ReadThrough::inflate_piece(std::string_view piece) {
  inflater_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
  inflater_.avail_in = static_cast<uInt>(piece.size());
  for (;;) {
    if (!member_open_) {
      if (inflater_.avail_in == 0) return true;
      if (member_seen_ && *inflater_.next_in == 0) return false;  // padding of a tape block
      ::inflateReset(&inflater_);
      member_open_ = true;
    }
    inflater_.next_out = reinterpret_cast<Bytef*>(out_.data());
    inflater_.avail_out = static_cast<uInt>(out_.size());
    const int result = ::inflate(&inflater_, Z_NO_FLUSH);
    stream_.feed(std::string_view(out_).substr(0, out_.size() - inflater_.avail_out));
    if (result == Z_STREAM_END) {
      member_open_ = false;
      member_seen_ = true;
    } else if (result == Z_BUF_ERROR) {
      return true;  // it wants more input
    } else if (result != Z_OK) {
      damaged_ = true;
      return false;
    }
  }
}

DumpContent ReadThrough::finish(std::string_view name) {
  if (damaged_) {
    return DumpContent::bad("gzip", BackupState::failed,
                            fmt::format("damaged gzip near byte {}", offset_bytes_));
  }
  if (gzip_ && member_open_) {
    return DumpContent::bad("gzip", BackupState::partial, "cut: its gzip stream has no end");
  }
  if (stream_.empty()) {
    return DumpContent::bad("gzip", BackupState::failed,
                            "an empty gzip: what was piped into it wrote nothing");
  }
  auto content = stream_.finish(name);
  if (gzip_) content.format += ".gz";
  return content;
}

}  // namespace pantryd::backup
