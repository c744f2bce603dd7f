// Whether the server's sessions spent their time on mapping shared memory in, page by page, as new
// sessions do. Pure.
#pragma once

#include <string>

#include "loadgen/result/result.h"

namespace pantryd::loadgen {

/// One sentence with the numbers and with huge_pages, or empty where page faults do not show: they
/// show with 20 an operation or more that take a tenth of the service time, at a microsecond each.
/// For an unsteady run the sentence says so when they could not be looked at.
[[nodiscard]] std::string page_faults_text(const LoadResult& result, bool unsteady);

}  // namespace pantryd::loadgen
