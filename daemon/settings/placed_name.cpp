// Checks names of the configuration against the names that a module knows.
#include "settings/placed_name.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest.h"

namespace pantryd {

void require_known(const PlacedName& name, const std::string& what,
                   const std::set<std::string>& known, const std::string& hint) {
  if (known.contains(name.text)) return;
  const auto close = nearest(name.text, known);
  throw Error(ExitCode::usage,
              fmt::format("{}{}unknown {} \"{}\"", name.place, name.place.empty() ? "" : ": ", what,
                          name.text),
              close.empty() ? hint : fmt::format("Did you mean \"{}\"?", close));
}

bool contains(const std::vector<PlacedName>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), PlacedName(name)) != names.end();
}

}  // namespace pantryd
