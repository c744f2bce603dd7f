// What else happened at the server while a load ran, from the looks at it: restarts, reloads,
// settings that changed, checkpoints, autovacuum, and the sessions of others in the same database.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loadgen/evidence/facts.h"

namespace pantryd::loadgen {

/// Something that happened at a moment. Seconds from the start of the measured window; negative in
/// the warm-up.
struct ServerEvent {
  double at_s = 0;
  std::string kind;  ///< "restart", "reload" or "settings"
  std::string text;  ///< of "settings": their names
};

/// Seen in looks of the measured window, once a second.
struct SeenSessions {
  std::string name;        ///< the application_name; of autovacuum, what it works on
  std::int64_t most = 0;   ///< at a time
  std::int64_t looks = 0;  ///< in which there was any
};

struct Surroundings {
  std::int64_t looks = 0;           ///< of the measured window that the server answered; 0: unknown
  std::vector<ServerEvent> events;  ///< of the whole run
  std::optional<double> checkpoints_timed, checkpoints_requested;  ///< none: not readable
  std::vector<SeenSessions> vacuums;  ///< of autovacuum in this database
  std::vector<SeenSessions> others;   ///< sessions of others in this database, by name
  std::int64_t others_most = 0;       ///< sessions of others at a time
  std::int64_t looks_with_work = 0;   ///< in which one of the others was at work
  std::int64_t hidden_most = 0;       ///< of them, those whose state our role may not see

  /// Of the looks; 0 without any.
  [[nodiscard]] double work_share() const;
};

/// `changes` are the settings that changed, as the sampler noted them.
[[nodiscard]] Surroundings surroundings_of(const std::vector<Look>& looks,
                                           const std::vector<ServerEvent>& changes,
                                           double measured_s);

}  // namespace pantryd::loadgen
