// Where the pages are served: the key http.listen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd {

struct Listen {
  std::string address = "127.0.0.1";  ///< IPv4, IPv6 without brackets, or the name of a host
  std::uint16_t port = 9788;

  /// "ADDRESS:PORT" and nothing else; an IPv6 address is in brackets. Throws Error(usage).
  [[nodiscard]] static Listen parse(std::string_view text);
  /// What parse() reads.
  [[nodiscard]] std::string text() const;
  /// False for a name, which may have several addresses.
  [[nodiscard]] bool is_numeric() const;

  friend bool operator==(const Listen&, const Listen&) = default;
};

/// Never empty, and nothing is listed twice.
struct ListenList {
  std::vector<Listen> all = {Listen{}};

  [[nodiscard]] std::string text() const;  ///< with commas between them, for people

  friend bool operator==(const ListenList&, const ListenList&) = default;
};

}  // namespace pantryd
