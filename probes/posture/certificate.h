// How long the server's certificate is still good, from our own connection.
#pragma once

#include "probes/engine/coded.h"
#include "probes/engine/watcher.h"

namespace pantryd::probes {

[[nodiscard]] const ProbeDescription& certificate_description();

/// Does not apply where our connection has no TLS: the probe "posture" tells whether the server
/// offers it.
[[nodiscard]] ServerProbe certificate_probe();

}  // namespace pantryd::probes
