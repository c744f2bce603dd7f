// The libpq that this process loaded.
#pragma once

#include <string>

namespace pantryd::pg {

/// "17.5": the version of the shared library, which may be newer than the headers.
[[nodiscard]] std::string libpq_version();

}  // namespace pantryd::pg
