// Limits that runner, plan and adoption share.
#pragma once

#include <chrono>

#include "base/deadline.h"

namespace pantryd::migrate {

/// For a connection to be there: name, TCP, TLS and login.
inline constexpr std::chrono::seconds kConnectLimit{10};
/// For a statement of ours that needs no lock anybody keeps: a look at the catalogue, a row of
/// history.
inline constexpr std::chrono::seconds kShortStatement{30};
/// For the catalogue of a whole schema.
inline constexpr std::chrono::seconds kCatalogueLimit{120};

[[nodiscard]] inline Deadline soon() {
  return Deadline::in(kShortStatement);
}
[[nodiscard]] inline Deadline for_catalogue() {
  return Deadline::in(kCatalogueLimit);
}

}  // namespace pantryd::migrate
