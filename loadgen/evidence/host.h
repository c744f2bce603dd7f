// What Linux shows of the host and about our own share of it: /proc and the cgroup files.
// Everything is optional: a container may hide any of it. No call blocks on anything but memory.
// Sources: proc(5); kernel Documentation/admin-guide/{iostats,cgroup-v1,cgroup-v2}.rst.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::loadgen {

/// Seconds since boot, summed over all processors.
struct CpuTimes {
  double busy_s = 0;  ///< user, nice, system, irq, softirq
  double idle_s = 0;
  double iowait_s = 0;  ///< idle, with a read or write of ours under way
  double steal_s = 0;   ///< the hypervisor gave the processor to others
  [[nodiscard]] double all_s() const { return busy_s + idle_s + iowait_s + steal_s; }
};

/// Since boot, of one whole disk.
struct DiskTimes {
  std::int64_t read_bytes = 0;
  std::int64_t write_bytes = 0;
  double busy_s = 0;  ///< at least one request was under way
};

/// Of our cgroup and those above it, since they were made.
struct Throttling {
  std::int64_t throttled = 0;  ///< periods in which the quota was used up
  double throttled_s = 0;      ///< summed over processors
};

/// Of one process, since it began.
struct ProcessTimes {
  std::int64_t minor_faults = 0;  ///< pages that were in memory and not yet mapped
  std::int64_t major_faults = 0;  ///< pages that had to be read
  double user_s = 0;
  double system_s = 0;
};

/// The text of /proc/PID/stat; nullopt when it is not that.
[[nodiscard]] std::optional<ProcessTimes> parse_process_stat(std::string_view text,
                                                             double ticks_per_s);
/// nullopt when there is no line "cpu". `ticks_per_s` is sysconf(_SC_CLK_TCK).
[[nodiscard]] std::optional<CpuTimes> parse_proc_stat(std::string_view text, double ticks_per_s);
/// Every line, partitions too, by name.
[[nodiscard]] std::map<std::string, DiskTimes> parse_diskstats(std::string_view text);
/// Both forms: throttled_usec of v2, throttled_time (nanoseconds) of v1.
[[nodiscard]] std::optional<Throttling> parse_cpu_stat(std::string_view text);

class Host {
 public:
  /// `root` is "/" but in tests.
  explicit Host(std::filesystem::path root = "/");

  [[nodiscard]] std::optional<CpuTimes> cpu() const;
  /// Of the disk that holds `folder`; without one, or where its device is no disk (overlay, btrfs,
  /// network), of all disks together.
  [[nodiscard]] std::optional<DiskTimes> disk(const std::filesystem::path& folder) const;
  [[nodiscard]] std::optional<Throttling> throttling() const;
  [[nodiscard]] std::optional<double> cpu_limit_cores() const;  ///< least of the cgroups' quotas
  [[nodiscard]] std::optional<std::int64_t> memory_limit_bytes() const;
  [[nodiscard]] std::optional<std::int64_t> memory_bytes() const;
  [[nodiscard]] std::string cpu_model() const;  ///< empty when it is not known
  [[nodiscard]] std::string governor() const;   ///< of the first processor; empty in most guests
  /// nullopt where there is no such process, or /proc is hidden.
  [[nodiscard]] std::optional<ProcessTimes> process(std::int64_t pid) const;
  /// Of /proc/meminfo: pages that were set aside for huge_pages.
  [[nodiscard]] std::optional<std::int64_t> huge_pages() const;
  /// True when process `pid` of this host is a PostgreSQL server process.
  [[nodiscard]] bool is_postgres(std::int64_t pid) const;

 private:
  /// Our folder of the controller and those above it, the nearest first.
  [[nodiscard]] std::vector<std::filesystem::path> groups(const std::string& controller) const;
  [[nodiscard]] std::string text(const std::filesystem::path& path) const;
  [[nodiscard]] std::optional<std::int64_t> meminfo(const std::string& name) const;

  std::filesystem::path root_;
};

}  // namespace pantryd::loadgen
