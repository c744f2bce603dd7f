// Invariants: the number is chosen and the file linked under flock() on the folder, which the
// kernel frees however we end; create_file_atomically() never replaces a file.
#include "migrate/files/new.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>

#include "base/deadline.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/file.h"
#include "base/stop.h"
#include "migrate/files/migration.h"

namespace pantryd::migrate {
namespace {

namespace fs = std::filesystem;

constexpr auto kLockLimit = std::chrono::seconds(10);
constexpr auto kLockPoll = std::chrono::milliseconds(10);
constexpr std::size_t kSlugMax = 100;
constexpr std::size_t kWidthLeast = 3;

[[noreturn]] void fail(const char* what, const fs::path& path, int error) {
  throw Error(ExitCode::failed,
              fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(error)));
}

void lock_folder(int fd, const fs::path& folder) {
  const auto deadline = Deadline::in(kLockLimit);
  const StopFlag never;
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) fail("lock", folder, errno);
    if (deadline.expired()) {
      throw Error(ExitCode::lock,
                  fmt::format("another process holds the folder {}", folder.string()),
                  "Try again when it is done.");
    }
    (void)never.wait(Deadline::in(kLockPoll));
  }
}

/// The number after the highest one, with its leading zeros.
std::string next_number(const fs::path& folder) {
  std::int64_t highest = 0;
  std::size_t width = kWidthLeast;
  std::size_t seen = 0;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (++seen > kMigrationFilesMax) throw Error(ExitCode::usage, "too many migrations");
    if (at->path().extension() != ".sql") continue;
    const auto name = at->path().filename().string();
    const auto digits = std::min(name.find_first_not_of("0123456789"), name.size());
    if (digits == 0 || name[digits] != '_') continue;
    std::int64_t number = 0;
    const auto read = std::from_chars(name.data(), name.data() + digits, number);
    if (read.ec != std::errc{}) number = std::numeric_limits<std::int64_t>::max();
    if (number < highest) continue;
    // The same number twice is refused by every run; here the wider one wins.
    width = number > highest ? digits : std::max(width, digits);
    highest = number;
  }
  if (error) fail("read the folder", folder, error.value());
  if (highest == std::numeric_limits<std::int64_t>::max()) {
    throw Error(ExitCode::usage, "there is no number above the highest migration",
                "Give that one a smaller number.");
  }
  return fmt::format("{:0{}}", highest + 1, width);
}

std::string file_text(const NewMigration& wanted) {
  std::string out =
      fmt::format("-- {}: why it is needed, for whoever reads it next year.\n", wanted.name);
  out +=
      "--\n"
      "-- Options stand alone on a line, above the sections or right under the mark of one:\n"
      "--   -- migrate:no-transaction             each statement by itself; for CONCURRENTLY\n"
      "--   -- migrate:lock-timeout 2s            the longest that others queue behind us\n"
      "--   -- migrate:statement-timeout 30min    the longest that one statement runs\n"
      "--   -- migrate:allow RULE because REASON  the linter is silent about RULE here\n"
      "-- Before it runs: pantryd migrate lint, then pantryd migrate plan.\n";
  if (!wanted.transaction) out += "-- migrate:no-transaction\n";
  out +=
      "-- migrate:up\n"
      "-- What it does. A file without a statement here is refused.\n"
      "\n"
      "-- migrate:down\n"
      "-- What undoes it. Without a statement here it cannot be undone.\n";
  return out;
}

}  // namespace

std::string slug_of(const std::string& name) {
  std::string out;
  bool letter = false;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool lower = c >= 'a' && c <= 'z';
    letter = letter || upper || lower;
    if (upper || lower || (c >= '0' && c <= '9')) {
      out.push_back(static_cast<char>(upper ? c - 'A' + 'a' : c));
    } else if (c == ' ' || c == '-' || c == '_') {
      if (!out.empty() && out.back() != '_') out.push_back('_');
    } else {
      throw Error(ExitCode::usage, "the name of a migration is letters, digits and '_'",
                  "Say what it does, such as: add_stock_level");
    }
  }
  if (!out.empty() && out.back() == '_') out.pop_back();
  if (!letter || out.size() > kSlugMax) {
    throw Error(
        ExitCode::usage,
        fmt::format("the name of a migration has a letter and at most {} characters", kSlugMax),
        "Say what it does, such as: add_stock_level");
  }
  return out;
}

fs::path write_new(const fs::path& folder, const NewMigration& wanted) {
  const auto slug = slug_of(wanted.name);
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) {
    throw Error(ExitCode::usage,
                fmt::format("cannot read the folder {}: {}", folder.string(), std::strerror(errno)),
                "Make it, or name the folder of the migrations with --dir.");
  }
  lock_folder(directory.get(), folder);
  auto path = folder / (next_number(folder) + "_" + slug + ".sql");
  if (!create_file_atomically(path, file_text(wanted))) {
    throw Error(ExitCode::failed, fmt::format("{} exists already", path.string()),
                "Nothing was changed.");
  }
  return path;
}

}  // namespace pantryd::migrate
