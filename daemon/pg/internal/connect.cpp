// Invariant: a PGconn made here is either returned or finished, whatever is thrown.
#include "pg/internal/connect.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdlib>
#include <deque>
#include <memory>
#include <regex>

#include "base/units.h"
#include "base/wait.h"
#include "pg/internal/conninfo_check.h"
#include "pg/sqlstate.h"

namespace pantryd::pg {
namespace {

constexpr std::size_t kEndpointsMax = 64;
constexpr auto kRedialPause = std::chrono::milliseconds(500);
constexpr std::size_t kDialsMax = 4;

using Session = std::unique_ptr<PGconn, decltype(&PQfinish)>;

std::string item(const std::vector<std::string>& list, std::size_t at) {
  return list.size() == 1 ? list[0] : (at < list.size() ? list[at] : std::string());
}

struct Lookup {
  int code = 0;
  std::vector<std::string> addresses;
};

Lookup look_up(const std::string& host) {
  Lookup out;
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  out.code = ::getaddrinfo(host.c_str(), nullptr, &wanted, &found);
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST] = {};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) == 0) {
      out.addresses.emplace_back(text);
    }
  }
  if (found != nullptr) ::freeaddrinfo(found);
  return out;
}

[[noreturn]] void throw_stopped() {
  throw PgError(Failure::stopped, "", "interrupted while connecting");
}

/// Nothing to look up: 127.0.0.1, ::1, fe80::1%eth0.
bool is_address(const std::string& host) {
  addrinfo wanted{};
  wanted.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &wanted, &found) != 0) return false;
  ::freeaddrinfo(found);
  return true;
}

std::vector<std::string> addresses_of(const std::string& host, Deadline deadline,
                                      const StopFlag* stop) {
  const auto answer = std::make_shared<Lookup>();
  const auto ready = run_bounded([answer, host] { *answer = look_up(host); }, deadline, stop);
  if (ready == Ready::stopped) throw_stopped();
  if (ready == Ready::deadline) {
    throw PgError(Failure::unreachable, "",
                  fmt::format("the name {} was not resolved in time", host),
                  "Check the resolver, or give the address as hostaddr.");
  }
  if (answer->addresses.empty()) {
    throw PgError(
        Failure::unreachable, "",
        fmt::format("cannot resolve the host name {}: {}", host, ::gai_strerror(answer->code)),
        "Check the host in the connection string.");
  }
  return answer->addresses;
}

void ignore_notice(void*, const PGresult*) {}

/// Begins to connect. Throws PgError.
Session start(const Conninfo& where, const Conninfo& shown, const Endpoint& endpoint,
              const ConnectOptions& options) {
  auto values = where.values();
  const auto set_default = [&](const char* keyword, const char* value) {
    values.try_emplace(keyword, value);
  };
  values["host"] = endpoint.host;
  values["hostaddr"] = endpoint.hostaddr;
  values["port"] = endpoint.port;
  values["client_encoding"] = "UTF8";
  set_default("application_name", options.application_name.c_str());
  // A peer that vanished is noticed in seconds, not after the kernel's two hours.
  set_default("keepalives_idle", "10");
  set_default("keepalives_interval", "5");
  set_default("keepalives_count", "3");
  set_default("tcp_user_timeout", "15000");

  std::vector<const char*> keywords;
  std::vector<const char*> texts;
  for (const auto& [keyword, value] : values) {
    if (value.empty()) continue;
    keywords.push_back(keyword.c_str());
    texts.push_back(value.c_str());
  }
  keywords.push_back(nullptr);
  texts.push_back(nullptr);
  Session session(PQconnectStartParams(keywords.data(), texts.data(), 0), &PQfinish);
  if (!session) throw PgError(Failure::unreachable, "", "out of memory while connecting");
  PQsetNoticeReceiver(session.get(), ignore_notice, nullptr);
  // A failed start-up carries its SQLSTATE only in the text, and only at this verbosity.
  PQsetErrorVerbosity(session.get(), PQERRORS_VERBOSE);
  if (PQstatus(session.get()) == CONNECTION_BAD) {
    throw describe_connect_failure(shown, PQerrorMessage(session.get()));
  }
  return session;
}

/// `where` with kWatchingAtStart as the last of its options.
Conninfo with_guard(const Conninfo& where) {
  auto options = where.get("options");
  if (options.empty()) {
    const char* of_environment = std::getenv("PGOPTIONS");
    options = of_environment == nullptr ? "" : of_environment;
  }
  for (const auto& [name, value] : kWatchingAtStart) {
    options += fmt::format("{}-c {}=", options.empty() ? "" : " ", name);
    for (const char each : value)
      options += each == ' ' ? std::string("\\ ") : std::string(1, each);
  }
  return where.with("options", options);
}

/// A pooler that does not know the start-up parameter `options`, or not what is in it.
bool refuses_options(const PgError& error) {
  return error.failure() == Failure::refused &&
         (error.sqlstate() == sqlstate::kProtocolViolation ||
          error.sqlstate() == sqlstate::kFeatureNotSupported);
}

/// The first session that a host answers, be it with a refusal; null at the deadline. The kernel
/// repeats a SYN that got no answer after 1, 3, 7, 15 seconds, and so may notice only long after
/// the network is back. So one more is sent every kRedialPause, by a session of its own, and the
/// older ones are listened for as well: a round trip may take kDialsMax pauses.
template <typename Start>
Session dial(const Start& start_one, Deadline deadline, const StopFlag* stop) {
  std::deque<Session> dials;
  do {
    if (dials.size() == kDialsMax) dials.pop_front();
    dials.push_back(start_one());
    std::vector<int> sockets;
    for (const auto& each : dials) sockets.push_back(PQsocket(each.get()));
    const auto found = wait_ready_one(sockets, POLLOUT, deadline.within(kRedialPause), stop);
    if (found.ready == Ready::stopped) throw_stopped();
    if (found.ready == Ready::yes) return std::move(dials[found.index]);
  } while (!deadline.expired());
  return {nullptr, &PQfinish};
}

/// Drives one attempt to its end. Throws PgError.
Session attempt(const Conninfo& where, const Endpoint& endpoint, Deadline deadline,
                const ConnectOptions& options) {
  const auto began = SteadyClock::now();
  const auto shown = where.with("host", endpoint.host).with("port", endpoint.port);
  const auto no_answer = [&] {
    const auto waited =
        std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - began);
    return PgError(Failure::unreachable, "",
                   fmt::format("cannot connect to {}: no answer within {}", shown.display(),
                               format_duration(waited)),
                   "The host is down, a firewall drops the packets, or the server hangs.");
  };
  Session session =
      dial([&] { return start(where, shown, endpoint, options); }, deadline, options.stop);
  if (!session) throw no_answer();
  auto polling = PGRES_POLLING_WRITING;
  while (polling != PGRES_POLLING_OK) {
    if (polling == PGRES_POLLING_FAILED) {
      throw describe_connect_failure(shown, PQerrorMessage(session.get()));
    }
    const short events = polling == PGRES_POLLING_READING ? POLLIN : POLLOUT;
    // The socket may change between polls: ask for it every time.
    const auto ready = wait_ready(PQsocket(session.get()), events, deadline, options.stop);
    if (ready == Ready::stopped) throw_stopped();
    if (ready == Ready::deadline) throw no_answer();
    polling = PQconnectPoll(session.get());
  }
  PQsetErrorVerbosity(session.get(), PQERRORS_DEFAULT);
  if (PQsetnonblocking(session.get(), 1) != 0) {
    throw describe_connect_failure(shown, PQerrorMessage(session.get()));
  }
  return session;
}

OpenedSession log_in(const Conninfo& where, const Endpoint& endpoint, Deadline deadline,
                     const ConnectOptions& options) {
  if (options.watching) {
    try {
      return {attempt(with_guard(where), endpoint, deadline, options).release(), true};
    } catch (const PgError& error) {
      if (!refuses_options(error)) throw;
    }
  }
  return {attempt(where, endpoint, deadline, options).release(), false};
}

Failure failure_of(std::string_view code) {
  if (code == sqlstate::kTooManyConnections) return Failure::too_many;
  if (code == sqlstate::kCannotConnectNow) return Failure::starting;
  return Failure::refused;
}

std::string hint_of(std::string_view code) {
  if (code == sqlstate::kInvalidPassword) {
    return "Check the password of this user: the passfile, password_file or PGPASSWORD in use.";
  }
  if (code == sqlstate::kInvalidAuthorization) {
    return "Create the role or name another user, and check that pg_hba.conf lets it in.";
  }
  if (code == sqlstate::kInvalidCatalogName) return "Create the database, or name another dbname.";
  if (code == sqlstate::kTooManyConnections) {
    return "Raise max_connections, or close sessions that are not needed.";
  }
  if (code == sqlstate::kCannotConnectNow) return "Wait until the server accepts connections.";
  return "Read the server's log for what it refuses.";
}

}  // namespace

PgError describe_connect_failure(const Conninfo& where, std::string_view text) {
  // The severity is in the server's language, and so of any letters. A code has a digit.
  static const std::regex with_code("[^\\n]*?[^:\\n]:\\s+(?=[A-Z]*[0-9])([0-9A-Z]{5}): ([^\\n]*)");
  static const std::regex prefix("^connection to server [^\\n]*? failed: ");
  const auto at = where.display();
  const std::string message(text);
  std::smatch match;
  if (std::regex_search(message, match, with_code)) {
    const std::string code = match[1];
    return {failure_of(code), code,
            fmt::format("cannot connect to {}: {}", at, where.mask(match[2])), hint_of(code)};
  }
  const auto reason = where.mask(std::regex_replace(message, prefix, ""));
  if (reason.find("no password supplied") != std::string::npos) {
    return {Failure::refused, std::string(sqlstate::kInvalidPassword),
            fmt::format("cannot connect to {}: the server wants a password and none was given", at),
            "Give it in a passfile (0600), in password_file, or as PGPASSWORD."};
  }
  const auto first_line = reason.substr(0, reason.find('\n'));
  return {Failure::unreachable, "", fmt::format("cannot connect to {}: {}", at, first_line),
          "Check that PostgreSQL runs there and listens on this address and port."};
}

std::vector<Endpoint> resolve_endpoints(const Conninfo& where, Deadline deadline,
                                        const StopFlag* stop) {
  const auto hosts = split_list(where.get("host"));
  const auto given_addresses = split_list(where.get("hostaddr"));
  const auto ports = split_list(where.get("port"));
  std::vector<Endpoint> endpoints;
  for (std::size_t i = 0; i < std::max(hosts.size(), given_addresses.size()); ++i) {
    const auto host = item(hosts, i);
    const auto address = item(given_addresses, i);
    const auto port = item(ports, i);
    const bool socket_folder = host.empty() || host[0] == '/' || host[0] == '@';
    if (!address.empty() || socket_folder || is_address(host)) {
      endpoints.push_back({host, address, port});
      continue;
    }
    for (const auto& each : addresses_of(host, deadline, stop)) {
      if (endpoints.size() < kEndpointsMax) endpoints.push_back({host, each, port});
    }
  }
  return endpoints;
}

OpenedSession open_session(const Conninfo& where, Deadline deadline,
                           const ConnectOptions& options) {
  const auto endpoints = resolve_endpoints(where, deadline, options.stop);
  const bool prefer_standby = where.get("target_session_attrs") == "prefer-standby";
  const std::size_t passes = prefer_standby ? 2 : 1;
  std::optional<PgError> last;
  std::size_t attempts_left = endpoints.size() * passes;
  for (std::size_t pass = 0; pass < passes; ++pass) {
    const auto wanted =
        prefer_standby ? where.with("target_session_attrs", pass == 0 ? "standby" : "any") : where;
    for (const auto& endpoint : endpoints) {
      const auto share = deadline.remaining() / std::max<std::size_t>(1, attempts_left--);
      try {
        return log_in(wanted, endpoint, deadline.within(share), options);
      } catch (const PgError& error) {
        last = error;
        if (error.failure() == Failure::stopped || error.failure() == Failure::refused) throw;
      }
    }
  }
  if (!last) throw PgError(Failure::unreachable, "", "the connection string names no host");
  throw *last;
}

}  // namespace pantryd::pg
