// The verdicts of a claim sheet as text, as JSON and as one HTML file that needs nothing beside it.
#pragma once

#include <string>
#include <vector>

#include "validate/claim.h"

namespace pantryd::validate {

/// Who and what else was at the server during one of the loads.
struct LoadSurroundings {
  std::string load;  ///< the file of its result
  std::vector<std::string> lines;
};

struct Report {
  std::string target;      ///< safe to print
  std::string started_at;  ///< ISO 8601, UTC
  std::string tool_version;
  std::vector<ClaimVerdict> verdicts;
  std::vector<LoadSurroundings> surroundings;

  /// FAIL if any failed, else INVALID or INCONCLUSIVE if any is, else PASS.
  [[nodiscard]] Verdict overall() const;
  [[nodiscard]] std::string to_text() const;
  [[nodiscard]] std::string to_json() const;  ///< {"format":"pantryd.validate","version":1,...}
  [[nodiscard]] std::string to_html() const;
};

}  // namespace pantryd::validate
