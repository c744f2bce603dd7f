// Invariants: between fork and exec the child calls only async-signal-safe functions, on memory
// prepared before the fork. `status_` is set once, by the one waitpid that reaped the child.
#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/error.h"

extern char** environ;

namespace pantryd {
namespace {

constexpr std::size_t kOutputLimitBytes = 64U << 10U;

std::vector<std::string> merged_environment(const std::vector<std::string>& changes) {
  std::vector<std::string> merged = changes;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view inherited = *entry;
    const auto key = inherited.substr(0, inherited.find('=') + 1);
    bool replaced = false;
    for (const auto& change : changes)
      replaced = replaced || change.compare(0, key.size(), key) == 0;
    if (!replaced) merged.emplace_back(inherited);
  }
  return merged;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (auto& text : strings) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

struct Prepared {
  const char* program;
  char* const* argv;
  char* const* envp;
  const char* cwd;
  int output_fd;
  int report_fd;
};

/// In the child: never returns.
[[noreturn]] void become(const ChildSpec& spec, const Prepared& with) {
  const auto give_up = [&] {
    const int reason = errno;
    [[maybe_unused]] const auto written = ::write(with.report_fd, &reason, sizeof reason);
    ::_exit(127);
  };
  if (spec.detached) {
    ::setsid();
  } else {
    ::setpgid(0, 0);
  }
  const int null_fd = ::open("/dev/null", O_RDONLY);
  if (null_fd < 0 || ::dup2(null_fd, 0) < 0) give_up();
  if (::dup2(with.output_fd, 1) < 0 || ::dup2(with.output_fd, 2) < 0) give_up();
  if (spec.run_as) {
    if (::setgroups(1, &spec.run_as->gid) != 0 || ::setgid(spec.run_as->gid) != 0 ||
        ::setuid(spec.run_as->uid) != 0) {
      give_up();
    }
  }
  // After setuid, which clears it.
  if (spec.parent_death_signal != 0) ::prctl(PR_SET_PDEATHSIG, spec.parent_death_signal);
  if (with.cwd != nullptr && ::chdir(with.cwd) != 0) give_up();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) ::signal(number, SIG_DFL);
  ::execve(with.program, with.argv, with.envp);
  give_up();
  ::_exit(127);
}

int decode(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

std::string ChildResult::tail() const {
  const auto cut = output.size() > 400 ? output.size() - 400 : 0;
  return one_line(std::string_view(output).substr(cut));
}

std::optional<std::filesystem::path> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return ::access(name.c_str(), X_OK) == 0 ? std::optional<std::filesystem::path>(name)
                                             : std::nullopt;
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const auto colon = rest.find(':');
    const auto candidate = std::filesystem::path(rest.substr(0, colon)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return std::nullopt;
}

Child::Child(const ChildSpec& spec) : detached_(spec.detached) {
  const auto program = find_program(spec.argv.at(0));
  if (!program) {
    throw Error(ExitCode::failed, fmt::format("there is no program {}", spec.argv[0]),
                "Install it, or correct the path.");
  }
  auto arguments = spec.argv;
  auto environment = merged_environment(spec.env);
  const auto argv = pointers(arguments);
  const auto envp = pointers(environment);

  int pipe_fds[2] = {-1, -1};
  int output_fd = -1;
  if (spec.output.empty()) {
    if (::pipe2(pipe_fds, O_CLOEXEC) != 0) throw Error(ExitCode::failed, "cannot create a pipe");
    output_fd = pipe_fds[1];
  } else {
    output_fd = ::open(spec.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (output_fd < 0) {
      throw Error(ExitCode::failed,
                  fmt::format("cannot write {}: {}", spec.output.string(), std::strerror(errno)));
    }
    if (spec.run_as && ::fchown(output_fd, spec.run_as->uid, spec.run_as->gid) != 0) {
      // Not fatal: the child holds the open descriptor.
    }
  }
  int report_fds[2] = {-1, -1};
  if (::pipe2(report_fds, O_CLOEXEC) != 0) {
    ::close(output_fd);
    if (pipe_fds[0] >= 0) ::close(pipe_fds[0]);
    throw Error(ExitCode::failed, "cannot create a pipe");
  }

  const Prepared with{program->c_str(), argv.data(),
                      envp.data(),      spec.cwd.empty() ? nullptr : spec.cwd.c_str(),
                      output_fd,        report_fds[1]};
  pid_ = ::fork();
  if (pid_ == 0) become(spec, with);
  ::close(output_fd);
  ::close(report_fds[1]);
  output_fd_ = pipe_fds[0];
  int reason = 0;
  const bool failed = pid_ < 0 || ::read(report_fds[0], &reason, sizeof reason) == sizeof reason;
  ::close(report_fds[0]);
  if (failed) {
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    if (output_fd_ >= 0) ::close(output_fd_);
    throw Error(ExitCode::failed, fmt::format("cannot start {}: {}", program->string(),
                                              std::strerror(pid_ < 0 ? EAGAIN : reason)));
  }
}

Child::Child(Child&& other) noexcept
    : pid_(other.pid_),
      output_fd_(other.output_fd_),
      detached_(other.detached_),
      status_(other.status_) {
  other.pid_ = -1;
  other.output_fd_ = -1;
}

Child::~Child() {
  if (output_fd_ >= 0) ::close(output_fd_);
  if (pid_ <= 0 || status_ || detached_) return;
  signal(SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::signal(int number, bool group) const {
  if (pid_ <= 0 || status_) return;
  if (!group || ::kill(-pid_, number) != 0) ::kill(pid_, number);
}

std::optional<int> Child::wait(Deadline deadline) {
  for (;;) {
    if (status_) return status_;
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    if (reaped == pid_) {
      status_ = decode(status);
      return status_;
    }
    if (reaped < 0 && errno != EINTR) {
      status_ = 0;  // reaped by somebody else: it has ended, its code is unknown
      return status_;
    }
    if (deadline.expired()) return std::nullopt;
    std::this_thread::sleep_for(std::min(std::chrono::milliseconds(10), deadline.remaining()));
  }
}

namespace {

/// Takes what is there to read, at most a buffer. False: nothing will come any more.
bool take_output(int fd, std::string& output) {
  char buffer[8192];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  output.append(buffer, static_cast<std::size_t>(got));
  if (output.size() > 2 * kOutputLimitBytes) output.erase(0, output.size() - kOutputLimitBytes);
  return true;
}

bool is_readable(int fd, int wait_ms) {
  pollfd entry{fd, POLLIN, 0};
  return ::poll(&entry, 1, wait_ms) > 0;
}

/// What a child wrote and left in the pipe. A pipe holds 64 KiB; who writes more is not the child.
void drain(int fd, std::string& output) {
  constexpr int kReadsMax = 16;
  for (int i = 0; i < kReadsMax && is_readable(fd, 0); ++i) {
    if (!take_output(fd, output)) return;
  }
}

}  // namespace

ChildResult run_child(const ChildSpec& spec, Deadline deadline, const StopFlag* stop) {
  Child child(spec);
  ChildResult result;
  bool open = child.output_fd() >= 0;
  const auto kill_now = [&] {
    child.signal(SIGKILL);
    result.exit_code = child.wait(Deadline::in(std::chrono::seconds(5))).value_or(-1);
  };
  for (;;) {
    if (stop != nullptr && stop->requested()) {
      result.stopped = true;
      kill_now();
      return result;
    }
    if (deadline.expired()) {
      result.timed_out = true;
      kill_now();
      return result;
    }
    const auto slice_ms = static_cast<int>(std::min<long long>(50, deadline.remaining().count()));
    if (!open) {
      if (const auto code = child.wait(deadline.within(std::chrono::milliseconds(slice_ms)))) {
        result.exit_code = *code;
        return result;
      }
      continue;
    }
    if (is_readable(child.output_fd(), slice_ms)) {
      open = take_output(child.output_fd(), result.output);
    } else if (const auto code = child.wait(Deadline::in({}))) {
      // It ended, perhaps with its last words after we had looked. Whatever else still holds the
      // pipe is not ours to wait for.
      drain(child.output_fd(), result.output);
      result.exit_code = *code;
      return result;
    }
  }
}

bool process_alive(pid_t pid) {
  if (pid <= 0 || (::kill(pid, 0) != 0 && errno == ESRCH)) return false;
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(stat, line)) return false;
  const auto close = line.rfind(')');
  return close != std::string::npos && close + 2 < line.size() && line[close + 2] != 'Z';
}

}  // namespace pantryd
