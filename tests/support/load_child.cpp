// Invariant: pid_ is our child, not yet waited for, until ended_. Its terminal is read all the
// time, since a full one would stop it.
#include "tests/support/load_child.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <fstream>

#include "base/deadline.h"
#include "base/file.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::testing_support {
namespace {

constexpr const char* kWorkload =
    "version: 1\nname: one\noperations:\n  - name: one\n    weight: 1\n    slo: {p99: 20s}\n"
    "    steps: [{sql: 'SELECT 1'}]\n";

}  // namespace

LoadChild::LoadChild(const pg::Conninfo& where, const std::filesystem::path& folder,
                     const LoadChildOptions& options) {
  static std::atomic<int> next{0};
  const auto name = "starved-" + std::to_string(next.fetch_add(1));
  out_ = folder / (name + ".json");
  const auto workload = folder / (name + ".yaml");
  std::ofstream(workload) << kWorkload;
  const std::vector<std::string> words = {places::binary,
                                          "--dsn",
                                          dsn_of(where),
                                          "load",
                                          "run",
                                          "--rate",
                                          options.rate,
                                          "--connections",
                                          "4",
                                          "--users",
                                          "500",
                                          "--duration",
                                          std::to_string(options.duration.count()) + "s",
                                          "--warmup",
                                          "500ms",
                                          "--workload",
                                          workload,
                                          "--out",
                                          out_};
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  std::string procs;
  if (!options.cgroup.empty()) procs = options.cgroup / "cgroup.procs";
  pid_ = ::forkpty(&terminal_, nullptr, nullptr, nullptr);
  if (pid_ == 0) {
    // Other threads of the test may hold any lock: system calls only. "0" is the writer itself.
    const int file = procs.empty() ? -1 : ::open(procs.c_str(), O_WRONLY | O_CLOEXEC);
    if (file >= 0) (void)!::write(file, "0", 1);
    // A quota does not bind the real-time classes, which only this capability lets it take.
    if (file >= 0) ::prctl(PR_CAPBSET_DROP, CAP_SYS_NICE, 0, 0, 0);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
}

LoadChild::~LoadChild() {
  if (!ended_ && pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (terminal_ >= 0) ::close(terminal_);
}

bool LoadChild::read_some(std::chrono::milliseconds limit) {
  pollfd ready{terminal_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(limit.count())) <= 0) return true;
  std::array<char, 4096> buffer{};
  const auto count = ::read(terminal_, buffer.data(), buffer.size());
  if (count <= 0) return false;  // EIO: nobody has the other end open any more
  output_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

bool LoadChild::wait_until_measuring(std::chrono::milliseconds limit) {
  for (const auto deadline = Deadline::in(limit); !deadline.expired();) {
    if (!read_some(std::min(deadline.remaining(), std::chrono::milliseconds(100)))) return false;
    if (output_.find("warm-up") != std::string::npos) return true;
  }
  return false;
}

nlohmann::json LoadChild::result(std::chrono::milliseconds limit) {
  const auto deadline = Deadline::in(limit);
  while (!deadline.expired() &&
         read_some(std::min(deadline.remaining(), std::chrono::milliseconds(100)))) {
  }
  if (deadline.expired()) ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  ended_ = true;
  const auto text = try_read_file(out_);
  return text ? nlohmann::json::parse(*text) : nlohmann::json();
}

std::vector<std::string> findings_of(const nlohmann::json& result) {
  std::vector<std::string> out;
  for (const auto& each : result["self_check"]["findings"]) out.push_back(each["code"]);
  return out;
}

}  // namespace pantryd::testing_support
