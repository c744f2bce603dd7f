// Invariants, of every client: it reads no more than head_bytes ahead; while it is sent an answer
// it is not read from; `since` is when its phase began, or when it last made progress in it.
//
// A page is not copied: each client that reads it holds a share of it until the last byte went to
// the kernel, whose buffer has a limit of its own.
#include "serve/http/clients.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>

#include "base/assert.h"
#include "base/log.h"

namespace pantryd {

enum class Phase { head, idle, answer, drain };

struct Clients::Client {
  Clients* owner = nullptr;
  Place place;
  bufferevent* stream = nullptr;
  Phase phase = Phase::head;
  SteadyClock::time_point since;
  std::size_t left = 0;      ///< of the answer, at `since`
  std::size_t searched = 0;  ///< bytes of the input without the end of a head
  std::size_t drained = 0;
  int requests = 0;
  bool last_answer = false;
};

namespace {

constexpr int kSendBufferBytes = 128 * 1024;  // the kernel doubles it
constexpr unsigned kUnacknowledgedMs = 30'000;
constexpr std::size_t kWriteAtOnceBytes = 256 * 1024;
constexpr std::size_t kDrainBytesMax = 1024 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr int kBlankLinesMax = 4;  // before a request line

const char* reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Unknown";
  }
}

/// Of RFC 9110; in English whatever the locale.
std::string http_date() {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto now = std::time(nullptr);
  std::tm t{};
  ::gmtime_r(&now, &t);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday,
                     kMonths[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string head_of(const PageAnswer& answer, bool last) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nDate: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}{}{}"
      "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: {}\r\n\r\n",
      answer.status, reason_of(answer.status), http_date(), answer.type, answer.body->size(),
      answer.gzip ? "Content-Encoding: gzip\r\n" : "",
      answer.negotiated ? "Vary: Accept, Accept-Encoding\r\n" : "",
      answer.status == 405 ? "Allow: GET, HEAD\r\n" : "", last ? "close" : "keep-alive");
}

void let_go(const void*, std::size_t, void* body) {
  delete static_cast<Body*>(body);
}

std::size_t find_head_end(evbuffer* input, std::size_t from) {
  evbuffer_ptr start{};
  if (::evbuffer_ptr_set(input, &start, from, EVBUFFER_PTR_SET) != 0) return std::string::npos;
  const auto found = ::evbuffer_search(input, kHeadEnd.data(), kHeadEnd.size(), &start);
  return found.pos < 0 ? std::string::npos : static_cast<std::size_t>(found.pos);
}

void skip_blank_lines(evbuffer* input) {
  for (int i = 0; i < kBlankLinesMax; ++i) {
    char begin[2];
    if (::evbuffer_copyout(input, begin, 2) != 2 || begin[0] != '\r' || begin[1] != '\n') return;
    ::evbuffer_drain(input, 2);
  }
}

}  // namespace

Clients::Clients(event_base* base, Pages& pages, const HttpLimits& limits)
    : base_(base), pages_(pages), limits_(limits) {}

Clients::~Clients() {
  while (!all_.empty()) end(all_.front());
}

void Clients::add(int fd) {
  PANTRYD_ASSERT(has_room());
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof kSendBufferBytes);
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnacknowledgedMs, sizeof kUnacknowledgedMs);
  // The one place that decides what a stream is: TLS is bufferevent_openssl_socket_new here.
  auto* stream = ::bufferevent_socket_new(base_, fd, BEV_OPT_CLOSE_ON_FREE);
  if (stream == nullptr) {
    ::evutil_closesocket(fd);
    return;
  }
  auto& client = all_.emplace_back();
  client.owner = this;
  client.place = std::prev(all_.end());
  client.stream = stream;
  client.since = SteadyClock::now();
  ::bufferevent_setcb(stream, on_read, on_written, on_event, &client);
  ::bufferevent_setwatermark(stream, EV_READ, 0, limits_.head_bytes);
  ::bufferevent_set_max_single_write(stream, kWriteAtOnceBytes);
  ::bufferevent_enable(stream, EV_READ | EV_WRITE);
}

void Clients::on_read(bufferevent*, void* client) {
  auto& self = *static_cast<Client*>(client);
  self.owner->read(self);
}

void Clients::on_written(bufferevent*, void* client) {
  auto& self = *static_cast<Client*>(client);
  if (self.phase == Phase::answer) self.owner->answered(self);
}

void Clients::on_event(bufferevent*, short what, void* client) {
  if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) == 0) return;
  auto& self = *static_cast<Client*>(client);
  self.owner->end(self);
}

void Clients::read(Client& client) {
  auto* input = ::bufferevent_get_input(client.stream);
  if (client.phase == Phase::drain) {
    client.drained += ::evbuffer_get_length(input);
    ::evbuffer_drain(input, ::evbuffer_get_length(input));
    if (client.drained > kDrainBytesMax) end(client);
    return;
  }
  if (client.phase == Phase::answer) return;
  if (client.searched == 0) skip_blank_lines(input);
  const auto size = ::evbuffer_get_length(input);
  if (size == 0) return;
  if (client.phase == Phase::idle) {
    client.phase = Phase::head;
    client.since = SteadyClock::now();
  }
  const auto end = find_head_end(input, client.searched);
  if (end == std::string::npos) {
    client.searched = size < kHeadEnd.size() ? 0 : size - kHeadEnd.size() + 1;
    if (size >= limits_.head_bytes) send_refusal(client, {431, "The headers are too long."});
    return;
  }
  std::string head(end + kHeadEnd.size(), '\0');
  ::evbuffer_remove(input, head.data(), head.size());
  client.searched = 0;
  try {
    answer(client, head);
  } catch (const std::exception& error) {
    log::error("a page could not be made: {}", error.what());
    send_refusal(client, {500, "The page could not be made."});
  }
}

void Clients::answer(Client& client, std::string_view head) {
  Request request;
  if (const auto refusal = read_request(head, limits_, request)) {
    send_refusal(client, *refusal);
    return;
  }
  ++client.requests;
  client.last_answer = !request.keep_alive || client.requests >= limits_.requests;
  const auto page = pages_.answer(request);
  send(client, page, request.method != Request::Method::head);
  save_memory();
}

void Clients::send_refusal(Client& client, const Refusal& refusal) {
  client.last_answer = true;
  send(client, Pages::text(refusal.status, refusal.why), true);
}

void Clients::send(Client& client, const PageAnswer& answer, bool with_body) {
  ::bufferevent_disable(client.stream, EV_READ);
  auto* output = ::bufferevent_get_output(client.stream);
  const auto head = head_of(answer, client.last_answer);
  ::evbuffer_add(output, head.data(), head.size());
  if (with_body && !answer.body->empty()) {
    auto share = std::make_unique<Body>(answer.body);
    if (::evbuffer_add_reference(output, answer.body->data(), answer.body->size(), let_go,
                                 share.get()) == 0) {
      (void)share.release();  // let_go has it
    }
  }
  client.phase = Phase::answer;
  client.since = SteadyClock::now();
  client.left = ::evbuffer_get_length(output);
}

/// The whole answer is with the kernel.
void Clients::answered(Client& client) {
  client.since = SteadyClock::now();
  client.left = pending(client);
  if (client.last_answer) {
    // What the client still sends is read for a while: else the kernel would reset the connection
    // before the client has read its answer.
    client.phase = Phase::drain;
    ::shutdown(::bufferevent_getfd(client.stream), SHUT_WR);
    ::bufferevent_enable(client.stream, EV_READ);
    return;
  }
  client.phase = Phase::idle;
  ::bufferevent_enable(client.stream, EV_READ);
  read(client);  // the next request may be here
}

/// What it has not taken of its answer: with us, and with the kernel.
std::size_t Clients::pending(const Client& client) {
  int with_kernel = 0;
  ::ioctl(::bufferevent_getfd(client.stream), SIOCOUTQ, &with_kernel);
  return ::evbuffer_get_length(::bufferevent_get_output(client.stream)) +
         static_cast<std::size_t>(std::max(0, with_kernel));
}

void Clients::end(Client& client) {
  if (client.phase == Phase::head || client.drained > kDrainBytesMax || pending(client) > 0) {
    // The kernel forgets at once what it still had to send.
    const linger none{1, 0};
    ::setsockopt(::bufferevent_getfd(client.stream), SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  ::bufferevent_free(client.stream);
  all_.erase(client.place);
}

void Clients::note_progress(Client& client, SteadyClock::time_point now, const HttpLimits& limits) {
  if (client.phase != Phase::answer && client.phase != Phase::drain) return;
  const auto left = pending(client);
  if (left + limits.progress_bytes > client.left) return;
  client.left = left;
  client.since = now;
}

Clients::Client* Clients::slowest(SteadyClock::time_point now, bool readers_only) {
  Client* out = nullptr;
  for (auto& client : all_) {
    note_progress(client, now, limits_);
    if (readers_only && client.phase != Phase::answer) continue;
    if (out == nullptr || client.since < out->since) out = &client;
  }
  return out;
}

bool Clients::make_room() {
  const auto now = SteadyClock::now();
  auto* client = slowest(now, false);
  if (client == nullptr || now - client->since < limits_.grace) return false;
  end(*client);
  ++removed_;
  return true;
}

void Clients::save_memory() {
  const auto most = std::max(limits_.pages_bytes, 4 * pages_.largest_bytes());
  while (pages_.held_bytes() > most) {
    // Not one that has just begun: it is the one for which the page was made.
    const auto now = SteadyClock::now();
    auto* client = slowest(now, true);
    if (client == nullptr || now - client->since < limits_.grace) return;
    end(*client);
    ++removed_;
  }
}

std::chrono::milliseconds Clients::patience(const Client& client) const {
  switch (client.phase) {
    case Phase::head:
      return limits_.head_time;
    case Phase::idle:
      return limits_.idle_time;
    case Phase::answer:
      return limits_.progress_time;
    case Phase::drain:
      break;
  }
  return pending(client) > 0 ? limits_.progress_time : limits_.drain_time;
}

void Clients::end_late_ones() {
  const auto now = SteadyClock::now();
  for (auto at = all_.begin(); at != all_.end();) {
    auto& client = *at++;
    note_progress(client, now, limits_);
    if (now - client.since < patience(client)) continue;
    const bool begun = client.phase == Phase::head &&
                       ::evbuffer_get_length(::bufferevent_get_input(client.stream)) > 0;
    if (begun) {
      send_refusal(client, {408, "The request did not end in time."});
    } else {
      end(client);
    }
  }
}

}  // namespace pantryd
