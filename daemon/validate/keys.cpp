// Reads values that the keys of several checks hold.
#include "validate/keys.h"

#include "base/units.h"

namespace pantryd::validate {

std::int64_t size_of(const YamlValue& value) {
  const auto bytes = parse_size_bytes(value.as_text());
  if (!bytes) throw value.error("expected a size", "Write it as in 64MB.");
  return *bytes;
}

}  // namespace pantryd::validate
