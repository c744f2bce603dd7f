// What the daemon says of itself and of its probes and pools, through prometheus-cpp's model.
#pragma once

#include <string>

#include "probes/engine/page.h"

namespace pantryd::probes {

/// The families of own_metrics(), in the format that `inputs` names.
[[nodiscard]] std::string render_own(const PageInputs& inputs);

}  // namespace pantryd::probes
