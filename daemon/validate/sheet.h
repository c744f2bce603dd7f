// The claim sheet: a YAML file of claims, and the verdicts on them.
#pragma once

#include <string>
#include <vector>

#include "validate/claim.h"
#include "validate/evidence.h"

namespace pantryd::validate {

/// Throws Error(usage) with FILE:LINE:COLUMN.
[[nodiscard]] std::vector<Claim> parse_claims(const std::string& text,
                                              const std::string& source_name);
/// An empty path: the sheet that is compiled into this binary.
[[nodiscard]] std::vector<Claim> load_claims(const std::string& path);

/// What all claims of a sheet want together, each once, in the order of the sheet.
[[nodiscard]] Needs needs_of(const std::vector<Claim>& claims);

/// A verdict for each claim, in the order of the sheet.
[[nodiscard]] std::vector<ClaimVerdict> judge_claims(const std::vector<Claim>& claims,
                                                     const Evidence& evidence);

}  // namespace pantryd::validate
