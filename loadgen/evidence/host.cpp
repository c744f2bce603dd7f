// State: only where the root is; each call reads afresh.
#include "loadgen/evidence/host.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "base/file.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kSectorBytes = 512;  // of /proc/diskstats, whatever the disk's own are
constexpr int kGroupDepthMax = 32;
constexpr std::int64_t kNoLimitBytes = std::int64_t{1} << 60;  // v1 writes 2^63 less a page

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::vector<std::string> words_of(const std::string& line) {
  std::vector<std::string> out;
  std::istringstream in(line);
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::optional<std::int64_t> number_of(std::string_view word) {
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return out;
}

double value_of(const std::vector<std::string>& words, std::size_t at) {
  return at < words.size() ? static_cast<double>(number_of(words[at]).value_or(0)) : 0;
}

bool is_whole_disk(const std::string& name) {
  return !name.starts_with("loop") && !name.starts_with("ram") && !name.starts_with("zram") &&
         !name.starts_with("dm-") && !name.starts_with("md") && !name.starts_with("sr") &&
         !name.starts_with("fd");
}

}  // namespace

std::optional<CpuTimes> parse_proc_stat(std::string_view text, double ticks_per_s) {
  for (const auto& line : lines_of(text)) {
    const auto words = words_of(line);
    if (words.size() < 5 || words[0] != "cpu") continue;
    const auto ticks = [&](std::size_t at) { return value_of(words, at) / ticks_per_s; };
    CpuTimes out;
    out.busy_s = ticks(1) + ticks(2) + ticks(3) + ticks(6) + ticks(7);  // guests are part of user
    out.idle_s = ticks(4);
    out.iowait_s = ticks(5);
    out.steal_s = ticks(8);
    return out;
  }
  return std::nullopt;
}

std::map<std::string, DiskTimes> parse_diskstats(std::string_view text) {
  std::map<std::string, DiskTimes> out;
  for (const auto& line : lines_of(text)) {
    const auto words = words_of(line);
    if (words.size() < 14) continue;
    auto& disk = out[words[2]];
    disk.read_bytes = static_cast<std::int64_t>(value_of(words, 5)) * kSectorBytes;
    disk.write_bytes = static_cast<std::int64_t>(value_of(words, 9)) * kSectorBytes;
    disk.busy_s = value_of(words, 12) / 1000;
  }
  return out;
}

std::optional<ProcessTimes> parse_process_stat(std::string_view text, double ticks_per_s) {
  // The name, in brackets, may hold blanks and brackets.
  const auto end_of_name = text.rfind(')');
  if (end_of_name == std::string_view::npos) return std::nullopt;
  const auto words = words_of(std::string(text.substr(end_of_name + 1)));
  if (words.size() < 13) return std::nullopt;
  ProcessTimes out;
  out.minor_faults = static_cast<std::int64_t>(value_of(words, 7));
  out.major_faults = static_cast<std::int64_t>(value_of(words, 9));
  out.user_s = value_of(words, 11) / ticks_per_s;
  out.system_s = value_of(words, 12) / ticks_per_s;
  return out;
}

std::optional<Throttling> parse_cpu_stat(std::string_view text) {
  std::optional<Throttling> out;
  for (const auto& line : lines_of(text)) {
    const auto words = words_of(line);
    if (words.size() != 2) continue;
    if (words[0] == "nr_throttled") {
      if (!out) out.emplace();
      out->throttled = static_cast<std::int64_t>(value_of(words, 1));
    } else if (words[0] == "throttled_usec" || words[0] == "throttled_time") {
      if (!out) out.emplace();
      out->throttled_s = value_of(words, 1) * (words[0] == "throttled_usec" ? 1e-6 : 1e-9);
    }
  }
  return out;
}

Host::Host(std::filesystem::path root) : root_(std::move(root)) {}

std::string Host::text(const std::filesystem::path& path) const {
  return try_read_file(root_ / path.relative_path()).value_or("");
}

std::optional<CpuTimes> Host::cpu() const {
  return parse_proc_stat(text("/proc/stat"), static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

std::optional<DiskTimes> Host::disk(const std::filesystem::path& folder) const {
  const auto all = parse_diskstats(text("/proc/diskstats"));
  struct stat found {};
  if (!folder.empty() && ::stat(folder.c_str(), &found) == 0) {
    std::error_code error;
    const auto device =
        root_ / "sys/dev/block" /
        (std::to_string(major(found.st_dev)) + ":" + std::to_string(minor(found.st_dev)));
    auto real = std::filesystem::canonical(device, error);
    // A partition's folder lies in that of its disk.
    if (!error && std::filesystem::exists(real / "partition", error)) real = real.parent_path();
    if (const auto same = all.find(real.filename().string()); same != all.end()) {
      return same->second;
    }
  }
  std::optional<DiskTimes> sum;
  for (const auto& [name, disk] : all) {
    std::error_code error;
    // Only whole disks have a folder here; where /sys is hidden, nothing is counted twice.
    if (!is_whole_disk(name) || !std::filesystem::exists(root_ / "sys/block" / name, error)) {
      continue;
    }
    if (!sum) sum.emplace();
    sum->read_bytes += disk.read_bytes;
    sum->write_bytes += disk.write_bytes;
    sum->busy_s = std::max(sum->busy_s, disk.busy_s);
  }
  return sum;
}

std::vector<std::filesystem::path> Host::groups(const std::string& controller) const {
  std::vector<std::filesystem::path> out;
  for (const auto& line : lines_of(text("/proc/self/cgroup"))) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto names = "," + line.substr(first + 1, second - first - 1) + ",";
    const bool unified = names == ",,";
    if (!unified && names.find("," + controller + ",") == std::string::npos) continue;
    const std::filesystem::path mounts = root_ / "sys/fs/cgroup";
    const auto mount = unified ? mounts : mounts / controller;  // v1 has a link of this name
    std::filesystem::path own(line.substr(second + 1));
    for (int depth = 0; depth < kGroupDepthMax; ++depth) {
      // In a container the path may be the host's, and the mount already is our own group: then
      // the climb ends at the mount, which is the right place.
      out.push_back(mount / own.relative_path());
      if (own.relative_path().empty()) break;
      own = own.parent_path();
    }
  }
  return out;
}

std::optional<Throttling> Host::throttling() const {
  std::optional<Throttling> out;
  for (const auto& folder : groups("cpu")) {
    const auto one = parse_cpu_stat(try_read_file(folder / "cpu.stat").value_or(""));
    if (!one) continue;
    if (!out) out.emplace();
    out->throttled += one->throttled;
    out->throttled_s += one->throttled_s;
  }
  return out;
}

std::optional<double> Host::cpu_limit_cores() const {
  std::optional<double> least;
  const auto take = [&least](double quota, double period) {
    if (quota <= 0 || period <= 0) return;
    least = std::min(least.value_or(quota / period), quota / period);
  };
  for (const auto& folder : groups("cpu")) {
    const auto v2 = words_of(try_read_file(folder / "cpu.max").value_or(""));
    if (v2.size() == 2) take(value_of(v2, 0), value_of(v2, 1));  // "max" counts as 0: no limit
    const auto quota = words_of(try_read_file(folder / "cpu.cfs_quota_us").value_or(""));
    const auto period = words_of(try_read_file(folder / "cpu.cfs_period_us").value_or(""));
    take(value_of(quota, 0), value_of(period, 0));
  }
  return least;
}

std::optional<std::int64_t> Host::memory_limit_bytes() const {
  std::optional<std::int64_t> least;
  for (const auto& folder : groups("memory")) {
    for (const char* name : {"memory.max", "memory.limit_in_bytes"}) {
      const auto words = words_of(try_read_file(folder / name).value_or(""));
      const auto bytes = words.empty() ? std::nullopt : number_of(words[0]);
      if (!bytes || *bytes <= 0 || *bytes >= kNoLimitBytes) continue;
      least = std::min(least.value_or(*bytes), *bytes);
    }
  }
  return least;
}

std::optional<std::int64_t> Host::meminfo(const std::string& name) const {
  for (const auto& line : lines_of(text("/proc/meminfo"))) {
    const auto words = words_of(line);
    if (words.size() >= 2 && words[0] == name + ":") return number_of(words[1]);
  }
  return std::nullopt;
}

std::optional<std::int64_t> Host::memory_bytes() const {
  const auto kib = meminfo("MemTotal");
  return kib ? std::optional(*kib * 1024) : std::nullopt;
}

std::optional<std::int64_t> Host::huge_pages() const {
  return meminfo("HugePages_Total");
}

std::optional<ProcessTimes> Host::process(std::int64_t pid) const {
  return parse_process_stat(text("/proc/" + std::to_string(pid) + "/stat"),
                            static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

std::string Host::cpu_model() const {
  for (const auto& line : lines_of(text("/proc/cpuinfo"))) {
    const auto colon = line.find(": ");
    // ARM has no name here, but the part number distinguishes the models.
    if (colon != std::string::npos &&
        (line.starts_with("model name") || line.starts_with("CPU part"))) {
      return line.substr(colon + 2);
    }
  }
  return {};
}

std::string Host::governor() const {
  const auto words = words_of(text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
  return words.empty() ? std::string() : words[0];
}

bool Host::is_postgres(std::int64_t pid) const {
  return pid > 0 && text("/proc/" + std::to_string(pid) + "/comm").starts_with("postgres");
}

}  // namespace pantryd::loadgen
