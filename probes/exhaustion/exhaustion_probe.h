// Time to exhaustion, from what was used up over the last hour: transaction and multixact
// identifiers, sequences, connections, and the disks of the data and of the WAL.
#pragma once

#include <filesystem>

#include "probes/engine/coded.h"
#include "probes/engine/watcher.h"

namespace pantryd::probes {

struct ExhaustionOptions {
  /// Folders on the disks that hold the data and the WAL; empty: the server's own folders, where
  /// its processes run on this machine.
  std::filesystem::path data_disk;
  std::filesystem::path wal_disk;
  std::chrono::milliseconds span{3'600'000};
  std::chrono::milliseconds least{300'000};  ///< nothing is told before so much was seen
};

[[nodiscard]] const ProbeDescription& exhaustion_description();

[[nodiscard]] ServerProbe exhaustion_probe(ExhaustionOptions options);

}  // namespace pantryd::probes
