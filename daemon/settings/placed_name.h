// A name in the configuration that refers to something another module owns: a probe, a kind of
// backup. The settings keep where it is written, so that whoever knows the names can point there.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace pantryd {

struct PlacedName {
  std::string text;
  std::string place;  ///< "FILE:LINE:COLUMN"; empty if it was not read from a file

  PlacedName() = default;
  PlacedName(std::string name) : text(std::move(name)) {}  // NOLINT: a name is a text
  PlacedName(const char* name) : text(name) {}             // NOLINT
  PlacedName(std::string name, std::string where)
      : text(std::move(name)), place(std::move(where)) {}

  /// Equal names are equal wherever they are written.
  friend bool operator==(const PlacedName& a, const PlacedName& b) { return a.text == b.text; }
};

/// Throws Error(usage) "PLACE: unknown WHAT "NAME"" for a name that is not known. `what` is "probe"
/// or "kind of backup". The hint has the nearest known name; `hint` is for names that resemble
/// none.
void require_known(const PlacedName& name, const std::string& what,
                   const std::set<std::string>& known, const std::string& hint);

[[nodiscard]] bool contains(const std::vector<PlacedName>& names, const std::string& name);

}  // namespace pantryd
