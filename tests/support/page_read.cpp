// The request is written to a socket of its own, so that no client library is in the time.
#include "tests/support/page_read.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>

#include "base/deadline.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd::testing_support {
namespace {

double ms_since(SteadyClock::time_point then) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - then).count();
}

std::string_view line_at(std::string_view page, std::size_t at) {
  return page.substr(at, std::min(page.find('\n', at), page.size()) - at);
}

template <typename Use>
void each_line(std::string_view page, const Use& use) {
  for (std::size_t at = 0; at < page.size();) {
    const auto line = line_at(page, at);
    use(line);
    at += line.size() + 1;
  }
}

/// Where the line that begins with `start` is.
std::size_t find_line(std::string_view page, std::string_view start) {
  for (auto at = page.find(start); at != std::string_view::npos; at = page.find(start, at + 1)) {
    if (at == 0 || page[at - 1] == '\n') return at;
  }
  return std::string_view::npos;
}

}  // namespace

Answer get(std::uint16_t port, const std::string& path) {
  Answer out;
  const auto began = SteadyClock::now();
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{5, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto request = "GET " + path + " HTTP/1.0\r\n\r\n";
  if (::connect(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    char buffer[65536];
    ssize_t got = 0;
    while ((got = ::recv(fd, buffer, sizeof buffer, 0)) > 0) {
      out.body.append(buffer, static_cast<std::size_t>(got));
    }
    if (got == 0 && out.body.size() > 12) out.status = std::atoi(out.body.c_str() + 9);
  }
  ::close(fd);
  out.took_ms = ms_since(began);
  const auto head = out.body.find("\r\n\r\n");
  const auto length = out.body.find("Content-Length: ");
  const auto rest = head == std::string::npos ? 0 : out.body.size() - head - 4;
  const bool whole =
      length < head && std::strtoull(out.body.c_str() + length + 16, nullptr, 10) == rest;
  if (out.status == 200 && !whole) {
    // A page that ends early counts as missing.
    ADD_FAILURE() << path << " ended after " << out.body.size() << " bytes and " << out.took_ms
                  << " ms: " << out.body.substr(0, 300);
    out.status = 0;
  }
  out.body.erase(0, head == std::string::npos ? out.body.size() : head + 4);
  return out;
}

std::optional<double> value_of(std::string_view page, std::string_view series) {
  const auto at = find_line(page, std::string(series) + " ");
  if (at == std::string_view::npos) return std::nullopt;
  return std::stod(std::string(line_at(page, at).substr(series.size() + 1)));
}

bool has_line(std::string_view page, std::string_view start) {
  return find_line(page, start) != std::string_view::npos;
}

std::string lines_of(std::string_view page, std::string_view start) {
  std::string out;
  each_line(page, [&](std::string_view line) {
    if (line.substr(0, start.size()) == start) out.append(line).push_back('\n');
  });
  return out;
}

std::string promtool_says(const std::string& page) {
  const auto file = scratch_dir() / "page.txt";
  write_file_atomically(file, page);
  return run_child({{"sh", "-c", "promtool check metrics < " + file.string()}},
                   Deadline::in(std::chrono::seconds(60)))
      .output;
}

std::string told_twice(std::string_view page) {
  std::set<std::string_view> seen;
  std::string out;
  each_line(page, [&](std::string_view line) {
    if (line.empty() || line[0] == '#') return;
    if (!seen.insert(line.substr(0, line.rfind(' '))).second) out.append(line).push_back('\n');
  });
  return out;
}

std::string outcome_of(const std::string& probe, const std::string& outcome,
                       const std::string& target) {
  return fmt::format("pantryd_probe_outcome{{outcome=\"{}\",probe=\"{}\",target=\"{}\"}}", outcome,
                     probe, target);
}

std::string age_of(const std::string& probe, const std::string& target) {
  return fmt::format("pantryd_probe_age_seconds{{probe=\"{}\",target=\"{}\"}}", probe, target);
}

}  // namespace pantryd::testing_support
