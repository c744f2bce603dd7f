// Invariant: got_ holds what was received and is part of no answer that was returned.
#include "tests/support/http_talk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdlib>

#include "base/deadline.h"

namespace pantryd::testing_support {

std::string Reply::header(std::string_view name) const {
  const auto at = head.find("\r\n" + std::string(name) + ": ");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

HttpTalk::HttpTalk(std::uint16_t port, const std::string& address, int receive_bytes) {
  sockaddr_in6 six{};
  sockaddr_in four{};
  const bool is_six = address.find(':') != std::string::npos;
  six.sin6_family = AF_INET6;
  four.sin_family = AF_INET;
  six.sin6_port = four.sin_port = htons(port);
  ::inet_pton(is_six ? AF_INET6 : AF_INET, address.c_str(),
              is_six ? static_cast<void*>(&six.sin6_addr) : &four.sin_addr);
  fd_ = ::socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_bytes > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  }
  connected_ =
      ::connect(fd_,
                is_six ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four),
                is_six ? sizeof six : sizeof four) == 0;
}

HttpTalk::~HttpTalk() {
  if (fd_ >= 0) ::close(fd_);
}

bool HttpTalk::send(std::string_view bytes) {
  return ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

bool HttpTalk::more(std::chrono::milliseconds patience) {
  pollfd ready{fd_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) return false;
  char buffer[65536];
  const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  got_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

std::optional<Reply> HttpTalk::read(std::chrono::milliseconds patience, bool bodiless) {
  const auto deadline = Deadline::in(patience);
  const auto wait = [&] { return !deadline.expired() && more(deadline.remaining()); };
  std::size_t end = 0;
  while ((end = got_.find("\r\n\r\n")) == std::string::npos) {
    if (!wait()) return std::nullopt;
  }
  Reply out;
  out.head = got_.substr(0, end + 2);
  if (!out.head.starts_with("HTTP/1.")) return std::nullopt;
  out.status = out.head.size() > 12 ? std::atoi(out.head.c_str() + 9) : 0;
  got_.erase(0, end + 4);
  const auto size = bodiless ? 0 : std::strtoull(out.header("Content-Length").c_str(), nullptr, 10);
  while (got_.size() < size) {
    if (!wait()) return std::nullopt;
  }
  out.body = got_.substr(0, size);
  got_.erase(0, size);
  return out;
}

std::string HttpTalk::read_some(std::size_t most, std::chrono::milliseconds patience) {
  pollfd ready{fd_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) return {};
  std::string out(most, '\0');
  const auto got = ::recv(fd_, out.data(), most, 0);
  out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return out;
}

bool HttpTalk::ends_within(std::chrono::milliseconds patience) {
  const auto deadline = Deadline::in(patience);
  while (!deadline.expired()) {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, static_cast<int>(deadline.remaining().count())) != 1) return false;
    char buffer[65536];
    const auto got = ::recv(fd_, buffer, sizeof buffer, 0);
    if (got == 0 || (got < 0 && errno != EINTR)) return true;
  }
  return false;
}

std::optional<Reply> ask(std::uint16_t port, std::string_view request, bool bodiless) {
  HttpTalk talk(port);
  if (!talk.connected() || !talk.send(request)) return std::nullopt;
  return talk.read(std::chrono::seconds(5), bodiless);
}

std::string get_request(std::string_view path, std::string_view headers) {
  std::string out = "GET ";
  out.append(path).append(" HTTP/1.1\r\nHost: test\r\n").append(headers);
  return out + "\r\n";
}

std::string unpacked(const std::string& gzip) {
  z_stream stream{};
  if (::inflateInit2(&stream, 15 + 16) != Z_OK) return {};
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gzip.data()));
  stream.avail_in = static_cast<uInt>(gzip.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK) {
    char buffer[65536];
    stream.next_out = reinterpret_cast<Bytef*>(buffer);
    stream.avail_out = sizeof buffer;
    state = ::inflate(&stream, Z_NO_FLUSH);
    out.append(buffer, sizeof buffer - stream.avail_out);
  }
  ::inflateEnd(&stream);
  return state == Z_STREAM_END ? out : std::string{};
}

}  // namespace pantryd::testing_support
