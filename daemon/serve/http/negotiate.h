// What a client prefers, by the weights (q) of its headers: RFC 9110, section 12.
#pragma once

#include <string_view>

namespace pantryd {

/// By Accept: OpenMetrics 1.0 if it is named and weighs at least as much as plain text.
[[nodiscard]] bool prefers_openmetrics(std::string_view accept);

/// By Accept-Encoding: gzip if it weighs something and at least as much as `identity`.
[[nodiscard]] bool prefers_gzip(std::string_view accept_encoding);

}  // namespace pantryd
