// What is read from /proc and cgroups, on files that the test writes.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "loadgen/evidence/environment.h"
#include "loadgen/evidence/host.h"

namespace pantryd::loadgen {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A file tree that stands for /, gone at the end.
class FakeRoot {
 public:
  FakeRoot() {
    auto pattern = (std::filesystem::temp_directory_path() / "pantryd-root-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~FakeRoot() { std::filesystem::remove_all(root_); }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;
  void put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  [[nodiscard]] Host host() const { return Host(root_); }

 private:
  std::filesystem::path root_;
};

TEST(HostTest, StealIsToldApartFromWorkAndGuestsAreNotCountedTwice) {
  const auto times = parse_proc_stat(
      "intr 5\ncpu  1000 100 400 5000 300 10 90 200 700 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n", 100);
  ASSERT_TRUE(times);
  EXPECT_DOUBLE_EQ(times->busy_s, 16);
  EXPECT_DOUBLE_EQ(times->idle_s, 50);
  EXPECT_DOUBLE_EQ(times->iowait_s, 3);
  EXPECT_DOUBLE_EQ(times->steal_s, 2);
  EXPECT_DOUBLE_EQ(times->all_s(), 71);
  EXPECT_EQ(parse_proc_stat("nothing", 100), std::nullopt);
}

TEST(HostTest, BothFormsOfCpuStatAreRead) {
  const auto v2 =
      parse_cpu_stat("usage_usec 5\nnr_periods 9\nnr_throttled 4\nthrottled_usec 2500000\n");
  ASSERT_TRUE(v2);
  EXPECT_EQ(v2->throttled, 4);
  EXPECT_DOUBLE_EQ(v2->throttled_s, 2.5);
  const auto v1 = parse_cpu_stat("nr_periods 9\nnr_throttled 3\nthrottled_time 1500000000\n");
  ASSERT_TRUE(v1);
  EXPECT_EQ(v1->throttled, 3);
  EXPECT_DOUBLE_EQ(v1->throttled_s, 1.5);
  EXPECT_EQ(parse_cpu_stat("usage_usec 5\n"), std::nullopt);
}

TEST(HostTest, TheTightestQuotaOfTheGroupsAboveUsIsTheLimit) {
  const FakeRoot root;
  root.put("proc/self/cgroup", "0::/load.slice/run.scope\n");
  root.put("sys/fs/cgroup/load.slice/cpu.max", "150000 100000\n");
  root.put("sys/fs/cgroup/load.slice/cpu.stat", "nr_throttled 2\nthrottled_usec 1000\n");
  root.put("sys/fs/cgroup/load.slice/run.scope/cpu.max", "max 100000\n");
  root.put("sys/fs/cgroup/load.slice/run.scope/cpu.stat", "nr_throttled 1\nthrottled_usec 500\n");
  root.put("sys/fs/cgroup/load.slice/run.scope/memory.max", "1048576\n");
  EXPECT_EQ(root.host().cpu_limit_cores(), 1.5);
  EXPECT_EQ(root.host().memory_limit_bytes(), 1048576);
  ASSERT_TRUE(root.host().throttling());
  EXPECT_EQ(root.host().throttling()->throttled, 3);
}

TEST(HostTest, TheFirstVersionsGroupsAreReadAsWellAndNoQuotaIsNoLimit) {
  const FakeRoot root;
  root.put("proc/self/cgroup", "4:memory:/m\n3:cpu,cpuacct:/box\n0::/\n");
  root.put("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "50000\n");
  root.put("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  root.put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  root.put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  root.put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(root.host().cpu_limit_cores(), 0.5);
  EXPECT_EQ(root.host().memory_limit_bytes(), std::nullopt);
  const FakeRoot bare;
  EXPECT_EQ(bare.host().cpu_limit_cores(), std::nullopt);
  EXPECT_EQ(bare.host().throttling(), std::nullopt);
  EXPECT_EQ(bare.host().cpu(), std::nullopt);
  EXPECT_EQ(bare.host().cpu_model(), "");
}

TEST(HostTest, DisksAreReadInBytesAndSecondsAndPartitionsAreNotCountedTwice) {
  const FakeRoot root;
  root.put("proc/diskstats",
           " 7 0 loop0 1 0 8 0 0 0 0 0 0 900 0\n"
           " 8 0 sda 10 0 2000 5 20 0 4000 7 0 1500 12\n"
           " 8 1 sda1 10 0 2000 5 20 0 4000 7 0 1500 12\n");
  root.put("sys/block/sda/size", "1\n");
  root.put("sys/block/loop0/size", "1\n");
  const auto disk = root.host().disk({});
  ASSERT_TRUE(disk);
  EXPECT_EQ(disk->read_bytes, 2000 * 512);
  EXPECT_EQ(disk->write_bytes, 4000 * 512);
  EXPECT_DOUBLE_EQ(disk->busy_s, 1.5);
}

Environment some_environment() {
  Environment out;
  out.kernel = "Linux 6.1 x86_64";
  out.cpu_model = "A Processor";
  out.cpu_count = 4;
  out.cpu_limit = 1.5;
  out.memory_bytes = 8LL << 30;
  out.server_version = "15.18";
  out.settings = {{"fsync", "on"}, {"port", "5432"}, {"shared_buffers", "128MB"}};
  out.schema_hash = "abc";
  out.relations = {{"public.sales", 100 << 20, 50 << 20, 300'000}};
  out.dataset.emplace();
  out.rtt_us = 90;
  return out;
}

TEST(EnvironmentTest, ComesBackFromItsJson) {
  const auto before = some_environment();
  const auto text = before.to_json().dump();
  const auto after = Environment::from_json(nlohmann::ordered_json::parse(text));
  EXPECT_EQ(after.to_json().dump(), text);
  EXPECT_THAT(differences(before, after), IsEmpty());
  EXPECT_EQ(after.settings, before.settings);
  EXPECT_EQ(after.relations, before.relations);
  EXPECT_EQ(after.dataset, before.dataset);
}

TEST(EnvironmentTest, WhatIsMissingIsUnknownAndWhatIsWrongIsAnError) {
  const auto empty = Environment::from_json(nlohmann::ordered_json::object());
  EXPECT_EQ(empty.server_version, "");
  EXPECT_THAT(differences(empty, some_environment()), testing::Contains(HasSubstr("unknown")));
  EXPECT_THROW((void)Environment::from_json(
                   nlohmann::ordered_json::parse(R"({"client":{"cpu_count":"many"}})")),
               Error);
}

TEST(EnvironmentTest, DifferencesNameTheSettingAndBothValues) {
  auto other = some_environment();
  other.settings = {{"fsync", "off"}, {"port", "5433"}, {"shared_buffers", "128MB"}};
  other.server_version = "16.4";
  EXPECT_THAT(differences(some_environment(), other),
              ElementsAre("server version: 15.18 against 16.4", "setting fsync: on against off"));
}

TEST(EnvironmentTest, RowsThatALoadMadeAreNoDifferenceAndAnotherSizeIs) {
  auto other = some_environment();
  other.relations[0].table_bytes = 110 << 20;
  other.rtt_us = 150;
  EXPECT_THAT(differences(some_environment(), other), IsEmpty());
  other.relations[0].table_bytes = 200 << 20;
  other.rtt_us = 900;
  EXPECT_THAT(differences(some_environment(), other),
              ElementsAre(HasSubstr("table public.sales"), HasSubstr("round trip")));
}

}  // namespace
}  // namespace pantryd::loadgen
