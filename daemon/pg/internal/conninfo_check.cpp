// Refuses lists of hosts, addresses and ports that do not fit together, before libpq sees them.
#include "pg/internal/conninfo_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "base/error.h"

namespace pantryd::pg {
namespace {

constexpr int kPortMax = 65535;

[[noreturn]] void refuse(const std::string& message, const std::string& hint) {
  throw Error(ExitCode::usage, "the connection string " + message, hint);
}

std::string counted(std::size_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : (one.back() == 's' ? "es" : "s"));
}

void check_hosts(const std::vector<std::string>& hosts, const std::vector<std::string>& addresses,
                 bool both) {
  const auto count = std::max(hosts.size(), addresses.size());
  if (both && hosts.size() != addresses.size()) {
    refuse(fmt::format("names {} but {}", counted(hosts.size(), "host"),
                       counted(addresses.size(), "address")),
           "Give one hostaddr for each host, in the same order, or no hostaddr at all.");
  }
  for (std::size_t i = 0; count > 1 && i < count; ++i) {
    const bool named = i < hosts.size() && !hosts[i].empty();
    const bool addressed = i < addresses.size() && !addresses[i].empty();
    if (named || addressed) continue;
    refuse(fmt::format("has an empty entry in its list of hosts: number {} of {}", i + 1, count),
           "Write host=db1,db2 without a comma at an end or two in a row; for a Unix socket name "
           "its folder.");
  }
}

bool is_port(const std::string& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 1 &&
         number <= kPortMax;
}

void check_ports(const std::vector<std::string>& ports, std::size_t hosts) {
  if (ports.size() != 1 && ports.size() != hosts) {
    refuse(fmt::format("names {} but {}", counted(ports.size(), "port"), counted(hosts, "host")),
           "Give one port for all hosts, or one for each in the same order.");
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    // An empty one is the default: postgresql://db1,db2:5433/shop has it.
    if (ports[i].empty() || is_port(ports[i])) continue;
    refuse(fmt::format("has a port that is not a port number: entry {} of {}", i + 1, ports.size()),
           fmt::format("A port is a number from 1 to {}. In a URI a password that holds @, : or / "
                       "has to be percent-encoded.",
                       kPortMax));
  }
}

void check_word(const Conninfo& where, const std::string& keyword,
                std::initializer_list<std::string_view> words) {
  const auto value = where.get(keyword);
  if (value.empty() || std::find(words.begin(), words.end(), value) != words.end()) return;
  refuse(fmt::format("has a value of {} that libpq does not know", keyword),
         fmt::format("Write one of: {}.", fmt::join(words, ", ")));
}

}  // namespace

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out(1);
  for (const char c : text) {
    if (c == ',') {
      out.emplace_back();
    } else {
      out.back().push_back(c);
    }
  }
  return out;
}

void check_conninfo(const Conninfo& where) {
  const auto host = where.get("host");
  const auto address = where.get("hostaddr");
  const auto hosts = split_list(host);
  const auto addresses = split_list(address);
  check_hosts(hosts, addresses, !host.empty() && !address.empty());
  // A service file may name the hosts.
  const bool elsewhere = host.empty() && address.empty() && !where.get("service").empty();
  const auto ports = split_list(where.get("port"));
  check_ports(ports, elsewhere ? ports.size() : std::max(hosts.size(), addresses.size()));
  check_word(where, "target_session_attrs",
             {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"});
  check_word(where, "sslmode",
             {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"});
}

}  // namespace pantryd::pg
