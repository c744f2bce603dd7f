// All probes as one list: those of this binary, SQL and code, and the operator's own. The keys
// enable, disable and cost_max and the command `probes list` act on this list and on nothing else.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "probes/engine/description.h"
#include "serve/coded_probes.h"

namespace pantryd {

struct ProbeRow {
  probes::ProbeDescription description;
  bool coded = false;  ///< else SQL
  bool runs = false;   ///< as the settings say; on targets that have what it looks at
};

class ProbeList {
 public:
  /// Reads the operator's folder. Throws Error(usage) for a file in it that is no probe, for a
  /// probe whose name or metric another one has, and, with FILE:LINE:COLUMN, for a name in enable
  /// or disable that no probe has.
  explicit ProbeList(const ProbeSettings& settings);

  /// SQL by name, then code. Their names differ.
  [[nodiscard]] const std::vector<ProbeRow>& rows() const& { return rows_; }
  const std::vector<ProbeRow>& rows() && = delete;
  [[nodiscard]] std::set<std::string> names() const;
  /// The SQL probes that run.
  [[nodiscard]] const std::shared_ptr<const std::vector<probes::ProbeSpec>>& specs() const {
    return specs_;
  }
  /// Adds the coded probes that run. `store` must outlive the watcher.
  void add_coded(const TargetSettings& target, const probes::SnapshotStore& store,
                 probes::WatchedTarget& watched) const;

 private:
  ProbeSettings settings_;
  std::vector<ProbeRow> rows_;
  std::shared_ptr<const std::vector<probes::ProbeSpec>> specs_;
};

/// Names that no operator's probe may have.
[[nodiscard]] std::set<std::string> coded_probe_names();

}  // namespace pantryd
