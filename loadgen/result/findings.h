// What the judges found in a run besides its verdict. Filled by judge/.
#pragma once

#include <string>
#include <vector>

namespace pantryd::loadgen {

struct Finding {
  /// A server that fails by far may still be a FAIL beside a client's finding, but not beside one
  /// of the surroundings: then the server was not the one to be tested.
  enum class Kind { client, surroundings };
  Kind kind = Kind::client;
  std::string code;  ///< "start_lag", "stalls", ...: stable
  std::string text;  ///< a sentence with its numbers
};

struct SelfCheck {
  std::vector<Finding> findings;      ///< each alone makes the run INVALID
  std::vector<std::string> warnings;  ///< sentences that a reader must know
};

/// What limits the server next; the names are in judge/bottleneck.h.
struct Bottleneck {
  std::string name = "none";  ///< stable
  std::string text = "Nothing stands out.";
};

}  // namespace pantryd::loadgen
