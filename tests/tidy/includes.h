// Which folder may include which: the table of allowed arrows, and the rules beside it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/tidy/tree.h"

namespace pantryd::tidy {

/// By module, the modules that it may include. A module is daemon/NAME, `probes` or `loadgen`.
using Arrows = std::map<std::string, std::vector<std::string>>;

/// The table that holds for this repository.
[[nodiscard]] const Arrows& allowed_arrows();

/// "daemon/pool", "probes", "loadgen"; empty for a file outside of them, and for daemon/main.cpp.
[[nodiscard]] std::string module_of(std::string_view path);

/// An include that the table does not allow, or of a file that does not exist.
[[nodiscard]] Findings check_arrows(const Tree& tree, const Arrows& allowed);
/// Circles between the folders below `root`, such as "loadgen": one finding names a circle.
[[nodiscard]] Findings check_circles(const Tree& tree, std::string_view root);
/// A header of a folder `internal` that a file outside of its parent includes.
[[nodiscard]] Findings check_internal(const Tree& tree);
/// <libpq-fe.h> and its kin outside of daemon/pg.
[[nodiscard]] Findings check_libpq(const Tree& tree);

}  // namespace pantryd::tidy
