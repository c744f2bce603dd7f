// Asks libpq for its version.
#include "pg/library.h"

#include <fmt/format.h>
#include <libpq-fe.h>

namespace pantryd::pg {

std::string libpq_version() {
  const int version = PQlibVersion();
  return fmt::format("{}.{}", version / 10'000, version % 10'000);
}

}  // namespace pantryd::pg
