// SHA-256 (FIPS 180-4), from OpenSSL's libcrypto.
#pragma once

#include <string>
#include <string_view>

namespace pantryd {

/// 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view data);

}  // namespace pantryd
