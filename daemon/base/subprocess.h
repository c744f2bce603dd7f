// Child processes: each has a wall clock and a reaper. None outlives its owner unless it was
// started to do so (`detached`), and then its owner knows its pid.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"

namespace pantryd {

/// Whom a child runs as. Only root may set it.
struct UserId {
  uid_t uid = 0;
  gid_t gid = 0;
};

struct ChildSpec {
  std::vector<std::string> argv;  ///< argv[0] is a path or is looked up in PATH
  std::vector<std::string> env;   ///< "KEY=VALUE", replacing what we inherited
  std::filesystem::path cwd;      ///< empty: ours
  std::optional<UserId> run_as;
  std::filesystem::path output;  ///< stdout and stderr are appended here; empty: a pipe to us
  bool detached = false;         ///< own session, survives us
  int parent_death_signal = 0;   ///< sent by the kernel when our thread dies (prctl(2))
};

struct ChildResult {
  int exit_code = -1;      ///< 128 + signal when a signal ended it, as a shell tells it
  bool timed_out = false;  ///< the wall clock ended it
  bool stopped = false;    ///< the stop flag ended it
  std::string output;      ///< the last 64 KiB of stdout and stderr together

  [[nodiscard]] bool ok() const { return exit_code == 0 && !timed_out && !stopped; }
  /// The last lines of the output on one line, for an error message.
  [[nodiscard]] std::string tail() const;
};

/// A running child in a process group of its own. The destructor kills the group and reaps it,
/// unless the child is detached.
class Child {
 public:
  /// Throws Error(failed) when the program cannot be started.
  explicit Child(const ChildSpec& spec);
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Read end of the child's output; -1 when it goes to a file.
  [[nodiscard]] int output_fd() const { return output_fd_; }
  /// Sends to the child alone (group = false) or to all of its group.
  void signal(int number, bool group = true) const;
  /// The exit code once the child has ended, nullopt when `deadline` came first.
  [[nodiscard]] std::optional<int> wait(Deadline deadline);
  [[nodiscard]] bool running() { return !wait(Deadline::in({})).has_value(); }

 private:
  pid_t pid_ = -1;
  int output_fd_ = -1;
  bool detached_ = false;
  std::optional<int> status_;
};

/// Runs a child to its end. At the deadline, or on a stop, its whole group is killed.
[[nodiscard]] ChildResult run_child(const ChildSpec& spec, Deadline deadline,
                                    const StopFlag* stop = nullptr);

/// True while a process with this pid exists that is not a zombie.
[[nodiscard]] bool process_alive(pid_t pid);

/// The full path of a program in PATH; nullopt when there is none.
[[nodiscard]] std::optional<std::filesystem::path> find_program(const std::string& name);

}  // namespace pantryd
