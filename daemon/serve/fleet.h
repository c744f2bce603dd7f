// The watchers of all targets, and how they follow the configuration while they run.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "probes/engine/watcher.h"
#include "settings/settings.h"

namespace pantryd {

class Fleet {
 public:
  /// The store must outlive it.
  explicit Fleet(probes::SnapshotStore& store) : store_(store) {}
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  struct Changes {
    std::vector<std::string> begun;
    std::vector<std::string> ended;
    std::vector<std::string> renewed;  ///< begun anew, because what the file says of them changed
  };
  /// Watches what `settings` say, and the operator's own probes as their files are now: targets
  /// that are new begin, those that are gone end, and those that are as they were are not touched.
  /// Where only probes changed, what the others saw stays on the page. Throws Error(usage), with
  /// nothing changed, for an operator's probe that is none.
  Changes apply(const Settings& settings);

  void request_stop();

 private:
  struct Watched {
    TargetSettings settings;
    std::unique_ptr<probes::Watcher> watcher;
  };
  void end(const std::vector<std::string>& names);
  [[nodiscard]] std::shared_ptr<const probes::TargetSnapshot> seen_before(
      const std::string& target, const std::vector<probes::ProbeSpec>& specs) const;

  probes::SnapshotStore& store_;
  ProbeSettings probes_;
  std::shared_ptr<const std::vector<probes::ProbeSpec>> specs_;  ///< in force; null at first
  std::map<std::string, Watched> watched_;                       ///< by name
};

}  // namespace pantryd
