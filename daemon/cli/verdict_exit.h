// The exit code of a command that ends in a verdict.
#pragma once

#include "base/error.h"
#include "loadgen/drive/load.h"

namespace pantryd::cli {

[[nodiscard]] inline int exit_code_of(loadgen::Verdict verdict) {
  if (verdict == loadgen::Verdict::pass) return static_cast<int>(ExitCode::ok);
  if (verdict == loadgen::Verdict::fail) return static_cast<int>(ExitCode::failed);
  return static_cast<int>(ExitCode::inconclusive);
}

}  // namespace pantryd::cli
