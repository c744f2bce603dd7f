// What is known of the TLS of a connection.
#pragma once

#include <chrono>
#include <optional>

#include "pg/connection.h"

namespace pantryd::pg {

/// When the certificate that the server showed to this connection ends to be valid (X.509
/// notAfter). Nothing where the connection has no TLS, or the server showed none.
[[nodiscard]] std::optional<std::chrono::system_clock::time_point> server_certificate_expiry(
    const Connection& connection);

}  // namespace pantryd::pg
