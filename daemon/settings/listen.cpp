// Reads an address and a port as they are written, and guesses nothing; it keeps nothing.
#include "settings/listen.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace pantryd {
namespace {

constexpr std::size_t kNameMax = 253;  // RFC 1035
constexpr int kPortMax = 65'535;

[[noreturn]] void refuse(std::string_view text, const char* why, const char* hint) {
  throw Error(ExitCode::usage, fmt::format("\"{}\" is not ADDRESS:PORT: {}", text, why), hint);
}

bool is_ipv4(const std::string& address) {
  in_addr out{};
  return ::inet_pton(AF_INET, address.c_str(), &out) == 1;
}

/// With or without a zone: fe80::1%eth0.
bool is_ipv6(const std::string& address) {
  in6_addr out{};
  const auto zone = address.find('%');
  return zone != 0 && zone + 1 != address.size() &&
         ::inet_pton(AF_INET6, address.substr(0, zone).c_str(), &out) == 1;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// inet_aton(3) takes such names for addresses: 0 for 0.0.0.0, 0x7f.1 for 127.0.0.1.
bool ends_in_number(std::string_view address) {
  if (!address.empty() && address.back() == '.') address.remove_suffix(1);
  auto label = address.substr(address.rfind('.') + 1);
  const bool hex = label.starts_with("0x") || label.starts_with("0X");
  if (hex) label.remove_prefix(2);
  constexpr std::string_view kDigits = "0123456789abcdefABCDEF";
  return label.find_first_not_of(kDigits.substr(0, hex ? kDigits.size() : 10)) ==
         std::string_view::npos;
}

bool is_name(std::string_view address) {
  const auto fits = [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_';
  };
  return address.size() <= kNameMax && address.front() != '-' && address.front() != '.' &&
         std::all_of(address.begin(), address.end(), fits);
}

std::uint16_t port_of(std::string_view text, std::string_view digits) {
  constexpr const char* kHint = "A port is a number from 1 to 65535: 127.0.0.1:9788.";
  int port = 0;
  const bool plain = !digits.empty() && digits.size() <= 5 && digits.front() != '0' &&
                     std::all_of(digits.begin(), digits.end(), is_digit);
  if (plain) std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (port < 1 || port > kPortMax) refuse(text, "the port is not valid", kHint);
  return static_cast<std::uint16_t>(port);
}

std::string address_of(std::string_view text, std::string_view written) {
  constexpr const char* kAll =
      "Write an address of this machine. 0.0.0.0 stands for all of IPv4, [::] for all of IPv6.";
  if (written.empty() || written == "*") refuse(text, "the address is missing", kAll);
  if (text.find_first_of(", \t") != std::string_view::npos) {
    refuse(text, "it is more than one",
           "Several addresses are a list: [\"127.0.0.1:9788\", \"[::1]:9788\"].");
  }
  if (written.front() == '[') {
    if (written.back() != ']') refuse(text, "a bracket is missing", "For example [::1]:9788.");
    std::string address(written.substr(1, written.size() - 2));
    if (!is_ipv6(address)) refuse(text, "no IPv6 address", "For example [::1]:9788.");
    return address;
  }
  if (written.find(':') != std::string_view::npos) {
    refuse(text, "no IPv4 address and no name", "An IPv6 address is in brackets: [::1]:9788.");
  }
  std::string address(written);
  if (ends_in_number(address) && !is_ipv4(address)) {
    refuse(text, "no IPv4 address", "It has four numbers from 0 to 255: 127.0.0.1:9788.");
  }
  if (!is_name(address)) {
    refuse(text, "no address and no name of a host",
           "Pages are served over TCP alone: for example 127.0.0.1:9788.");
  }
  return address;
}

}  // namespace

Listen Listen::parse(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    refuse(text, "the port is missing", "For example 127.0.0.1:9788.");
  }
  Listen out;
  out.address = address_of(text, text.substr(0, colon));
  out.port = port_of(text, text.substr(colon + 1));
  return out;
}

std::string Listen::text() const {
  const bool brackets = address.find(':') != std::string::npos;
  return brackets ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

bool Listen::is_numeric() const {
  return is_ipv4(address) || is_ipv6(address);
}

std::string ListenList::text() const {
  std::string out;
  for (const auto& each : all) out += (out.empty() ? "" : ", ") + each.text();
  return out;
}

}  // namespace pantryd
