// `pantryd load run` as a process of its own that can be starved, and its result.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "pg/conninfo.h"

namespace pantryd::testing_support {

struct LoadChildOptions {
  std::string rate = "200";
  std::chrono::seconds duration{5};
  std::filesystem::path cgroup;  ///< joined before anything else; empty: ours
};

/// One statement that is as short as can be, and an SLO that any server keeps: what is INVALID of
/// it is so by the client.
class LoadChild {
 public:
  LoadChild(const pg::Conninfo& where, const std::filesystem::path& folder,
            const LoadChildOptions& options);
  ~LoadChild();  ///< kills it if it still runs
  LoadChild(const LoadChild&) = delete;
  LoadChild& operator=(const LoadChild&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  /// Until its measured part has begun (it says so on its terminal). False after `limit`.
  [[nodiscard]] bool wait_until_measuring(std::chrono::milliseconds limit);
  /// Until it ended; kills it after `limit`. The result file; null without one.
  [[nodiscard]] nlohmann::json result(std::chrono::milliseconds limit);
  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  /// Reads what there is, waiting at most `limit`. False at the end.
  bool read_some(std::chrono::milliseconds limit);

  pid_t pid_ = -1;
  int terminal_ = -1;
  bool ended_ = false;
  std::filesystem::path out_;
  std::string output_;
};

/// The codes of the self-check's findings.
[[nodiscard]] std::vector<std::string> findings_of(const nlohmann::json& result);

}  // namespace pantryd::testing_support
