// Every write goes to a temporary file beside the target and is renamed into place, so that a
// reader sees the old content or the new one, never a part.
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/descriptor.h"
#include "base/error.h"

namespace pantryd {
namespace {

[[noreturn]] void fail_write(const std::filesystem::path& path, const char* step) {
  const int reason = errno;
  throw Error(ExitCode::failed,
              fmt::format("cannot write {}: {}: {}", path.string(), step, std::strerror(reason)),
              reason == ENOSPC ? "Free some disk space and run the command again."
                               : "Check that the folder exists and that you may write to it.");
}

void write_all(int fd, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail_write(path, "write");
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// False: `path` exists and shall not be replaced.
bool write_whole(const std::filesystem::path& path, std::string_view content, unsigned mode,
                 bool replace) {
  auto temporary = path;
  temporary += fmt::format(".{}.tmp", ::getpid());
  bool written = true;
  try {
    const Descriptor file(
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (file.get() < 0) fail_write(path, "open");
    write_all(file.get(), content, path);
    if (::fsync(file.get()) != 0) fail_write(path, "fsync");
    if (replace) {
      if (::rename(temporary.c_str(), path.c_str()) != 0) fail_write(path, "rename");
    } else {
      // Unlike rename(), link() never takes the place of another file.
      written = ::link(temporary.c_str(), path.c_str()) == 0;
      if (!written && errno != EEXIST) fail_write(path, "link");
      ::unlink(temporary.c_str());
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
  return written;
}

/// "" on success, else the reason.
std::string read_into(const std::filesystem::path& path, std::size_t limit_bytes,
                      std::string& out) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return std::strerror(errno);
  std::string buffer(64U << 10U, '\0');
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::strerror(errno);
    if (got == 0) return {};
    out.append(buffer.data(), static_cast<std::size_t>(got));
    if (out.size() > limit_bytes) return fmt::format("larger than {} bytes", limit_bytes);
  }
}

}  // namespace

bool create_file_atomically(const std::filesystem::path& path, std::string_view content,
                            unsigned mode) {
  return write_whole(path, content, mode, /*replace=*/false);
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content,
                           unsigned mode) {
  (void)write_whole(path, content, mode, /*replace=*/true);
}

std::string read_file(const std::filesystem::path& path, std::size_t limit_bytes) {
  std::string out;
  const auto reason = read_into(path, limit_bytes, out);
  if (!reason.empty()) {
    throw Error(ExitCode::usage, fmt::format("cannot read {}: {}", path.string(), reason),
                "Check the path and that you may read it.");
  }
  return out;
}

std::optional<std::string> try_read_file(const std::filesystem::path& path,
                                         std::size_t limit_bytes) {
  std::string out;
  if (!read_into(path, limit_bytes, out).empty()) return std::nullopt;
  return out;
}

std::optional<std::uintmax_t> free_bytes(std::filesystem::path path) {
  std::error_code error;
  path = std::filesystem::absolute(path, error);
  while (!path.empty() && !std::filesystem::exists(path, error) && path != path.parent_path()) {
    path = path.parent_path();
  }
  const auto space = std::filesystem::space(path, error);
  if (error) return std::nullopt;
  return space.available;
}

}  // namespace pantryd
