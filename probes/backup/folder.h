// Bounded access to files that another program may be writing right now: a listing, heads and
// tails. Nothing here follows a symbolic link inside the folder, and nothing waits on a FIFO.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "probes/backup/backup_catalog.h"

namespace pantryd::backup {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// What tells one content of a file from another without reading it.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
  bool operator==(const FileIdentity&) const = default;
  [[nodiscard]] WallClock::time_point modified() const;
  /// The same file, written to since.
  [[nodiscard]] bool changed_from(const FileIdentity& earlier) const {
    return device == earlier.device && inode == earlier.inode && !(*this == earlier);
  }
};

struct Entry {
  std::string name;
  bool folder = false;  ///< else a regular file: links, sockets and devices are not listed
  FileIdentity identity;

  [[nodiscard]] std::int64_t size_bytes() const { return identity.size_bytes; }
};

/// Entries that a listing reads at most; a folder with more counts as not readable, because its
/// newest file might be among the rest.
inline constexpr std::size_t kEntriesMax = 100'000;

/// Follows a link only in `path` itself, which the operator wrote. Closed, with `reason`, on error.
[[nodiscard]] Descriptor open_folder(const std::string& path, std::string& reason);
[[nodiscard]] Descriptor open_folder_at(int folder_fd, const std::string& name,
                                        std::string& reason);
/// Read only, never a link, never a wait.
[[nodiscard]] Descriptor open_file_at(int folder_fd, const std::string& name, std::string& reason);

/// Regular files and folders, newest modification first. False, with `reason`, when it could not
/// be read to its end within the limits.
[[nodiscard]] bool list_folder(int folder_fd, Deadline deadline, std::vector<Entry>& entries,
                               std::string& reason);

/// Up to `length` bytes from `offset`; fewer at the end of the file or on a read error.
[[nodiscard]] std::string read_at(int fd, std::int64_t offset, std::size_t length);
/// The last `length` bytes of a file of that size.
[[nodiscard]] std::string read_tail(int fd, std::int64_t size_bytes, std::size_t length);

/// ".x", "*.tmp", "*.partial", "*.lock" and sidecars: names that never count as a backup.
[[nodiscard]] bool ignored_name(std::string_view name);
/// A name without a digit is no dated backup; used only to tell empty folders apart.
[[nodiscard]] bool has_digit(std::string_view name);

}  // namespace pantryd::backup
