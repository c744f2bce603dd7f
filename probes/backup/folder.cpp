// Invariant: every descriptor that is opened here is owned by a Descriptor or a DirectoryStream.
#include "probes/backup/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace pantryd::backup {
namespace {

constexpr std::size_t kDeadlineEvery = 256;

Descriptor open_checked(int folder_fd, const char* name, int flags, std::string& reason) {
  Descriptor file(::openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags));
  if (!file.open()) reason = std::strerror(errno);
  return file;
}

FileIdentity identity_of(const struct stat& status) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  return {static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino),
          static_cast<std::int64_t>(status.st_size),
          static_cast<std::int64_t>(status.st_mtim.tv_sec) * second_ns + status.st_mtim.tv_nsec};
}

class DirectoryStream {
 public:
  explicit DirectoryStream(int folder_fd) {
    // A descriptor of its own: fdopendir takes the position and the ownership of what it gets.
    const int own = ::openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (own < 0) return;
    stream_ = ::fdopendir(own);
    if (stream_ == nullptr) ::close(own);
  }
  ~DirectoryStream() {
    if (stream_ != nullptr) ::closedir(stream_);
  }
  DirectoryStream(const DirectoryStream&) = delete;
  DirectoryStream& operator=(const DirectoryStream&) = delete;
  [[nodiscard]] DIR* get() const { return stream_; }

 private:
  DIR* stream_ = nullptr;
};

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

WallClock::time_point FileIdentity::modified() const {
  return WallClock::time_point(
      std::chrono::duration_cast<WallClock::duration>(std::chrono::nanoseconds(modified_ns)));
}

Descriptor open_folder(const std::string& path, std::string& reason) {
  return open_checked(AT_FDCWD, path.c_str(), O_DIRECTORY, reason);
}

Descriptor open_folder_at(int folder_fd, const std::string& name, std::string& reason) {
  return open_checked(folder_fd, name.c_str(), O_DIRECTORY | O_NOFOLLOW, reason);
}

Descriptor open_file_at(int folder_fd, const std::string& name, std::string& reason) {
  return open_checked(folder_fd, name.c_str(), O_NOFOLLOW, reason);
}

bool list_folder(int folder_fd, Deadline deadline, std::vector<Entry>& entries,
                 std::string& reason) {
  const DirectoryStream directory(folder_fd);
  if (directory.get() == nullptr) {
    reason = std::strerror(errno);
    return false;
  }
  for (std::size_t seen = 0;; ++seen) {
    errno = 0;
    const dirent* item = ::readdir(directory.get());
    if (item == nullptr && errno != 0) {
      reason = std::strerror(errno);
      return false;
    }
    if (item == nullptr) break;
    if (seen >= kEntriesMax) {
      reason = fmt::format("more than {} entries", kEntriesMax);
      return false;
    }
    if (seen % kDeadlineEvery == 0 && deadline.expired()) {
      reason = "the listing did not end in time";
      return false;
    }
    struct stat status {};
    if (item->d_name == std::string_view(".") || item->d_name == std::string_view("..")) continue;
    // Gone since it was listed: not there.
    if (::fstatat(folder_fd, item->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) continue;
    entries.push_back({item->d_name, S_ISDIR(status.st_mode), identity_of(status)});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& left, const Entry& right) {
    return std::pair(right.identity.modified_ns, std::string_view(right.name)) <
           std::pair(left.identity.modified_ns, std::string_view(left.name));
  });
  return true;
}

std::string read_at(int fd, std::int64_t offset, std::size_t length) {
  std::string bytes(length, '\0');
  std::size_t filled = 0;
  while (filled < length) {
    const ssize_t got = ::pread(fd, bytes.data() + filled, length - filled,
                                static_cast<off_t>(offset) + static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

std::string read_tail(int fd, std::int64_t size_bytes, std::size_t length) {
  const auto wanted = std::min<std::int64_t>(size_bytes, static_cast<std::int64_t>(length));
  return read_at(fd, size_bytes - wanted,
                 static_cast<std::size_t>(std::max<std::int64_t>(0, wanted)));
}

bool ignored_name(std::string_view name) {
  constexpr std::array<std::string_view, 4> endings{".tmp", ".partial", ".lock", ".pantryd.json"};
  return name.empty() || name.front() == '.' ||
         std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return name.ends_with(ending); });
}

bool has_digit(std::string_view name) {
  return name.find_first_of("0123456789") != std::string_view::npos;
}

}  // namespace pantryd::backup
