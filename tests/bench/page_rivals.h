// The page served by other libraries of Debian, each as well as its options allow, for the bench
// `page` to attack. What is not installed has no row.
#pragma once

#ifdef PANTRYD_BENCH_CIVETWEB
#include <CivetServer.h>
#endif
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#ifdef PANTRYD_BENCH_MICROHTTPD
#include <microhttpd.h>
#endif

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace pantryd::bench {

class Rival {
 public:
  virtual ~Rival() = default;
};

#ifdef PANTRYD_BENCH_CIVETWEB
/// CivetWeb: a thread a connection.
class Civet : public Rival, private CivetHandler {
 public:
  Civet(std::uint16_t port, const std::string& page, int threads, int patience_ms)
      : page_(page),
        server_(std::vector<std::string>{"listening_ports", "127.0.0.1:" + std::to_string(port),
                                         "num_threads", std::to_string(threads),
                                         "request_timeout_ms", std::to_string(patience_ms),
                                         "keep_alive_timeout_ms", "0"}) {
    server_.addHandler("/metrics", *this);
  }

 private:
  bool handleGet(CivetServer*, mg_connection* connection) override {
    mg_printf(connection, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
              page_.size());
    mg_write(connection, page_.data(), page_.size());
    return true;
  }
  const std::string& page_;
  CivetServer server_;
};
#endif

/// libevent's own HTTP server: timeouts of single reads and writes, no limit of connections.
class EvHttp : public Rival {
 public:
  EvHttp(std::uint16_t port, const std::string& page, int patience_s)
      : page_(page), base_(::event_base_new()), http_(::evhttp_new(base_)) {
    ::evhttp_bind_socket(http_, "127.0.0.1", port);
    ::evhttp_set_timeout(http_, patience_s);
    ::evhttp_set_max_headers_size(http_, 16 * 1024);
    ::evhttp_set_gencb(http_, answer, this);
    thread_ = std::thread([this] {
      while (!stop_.load()) {
        const timeval tick{0, 50'000};
        ::event_base_loopexit(base_, &tick);
        ::event_base_dispatch(base_);
      }
    });
  }
  ~EvHttp() override {
    stop_ = true;
    thread_.join();
    ::evhttp_free(http_);
    ::event_base_free(base_);
  }

 private:
  static void answer(evhttp_request* request, void* self) {
    const auto& page = static_cast<EvHttp*>(self)->page_;
    auto* body = ::evbuffer_new();
    ::evbuffer_add_reference(body, page.data(), page.size(), nullptr, nullptr);
    ::evhttp_send_reply(request, HTTP_OK, "OK", body);
    ::evbuffer_free(body);
  }
  const std::string& page_;
  event_base* base_;
  evhttp* http_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

#ifdef PANTRYD_BENCH_MICROHTTPD
/// libmicrohttpd with epoll on one thread: a limit of connections, at which it stops accepting.
class MicroHttpd : public Rival {
 public:
  MicroHttpd(std::uint16_t port, const std::string& page, unsigned connections, unsigned patience_s)
      : page_(page),
        daemon_(::MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, port, nullptr, nullptr, answer,
                                   this, MHD_OPTION_CONNECTION_LIMIT, connections,
                                   MHD_OPTION_CONNECTION_TIMEOUT, patience_s, MHD_OPTION_END)) {}
  ~MicroHttpd() override { ::MHD_stop_daemon(daemon_); }

 private:
  static MHD_Result answer(void* self, MHD_Connection* connection, const char*, const char*,
                           const char*, const char*, std::size_t*, void** seen) {
    if (*seen == nullptr) {
      *seen = self;  // the headers alone; it calls again
      return MHD_YES;
    }
    const auto& page = static_cast<MicroHttpd*>(self)->page_;
    auto* response = ::MHD_create_response_from_buffer(page.size(), const_cast<char*>(page.data()),
                                                       MHD_RESPMEM_PERSISTENT);
    const auto queued = ::MHD_queue_response(connection, MHD_HTTP_OK, response);
    ::MHD_destroy_response(response);
    return queued;
  }
  const std::string& page_;
  MHD_Daemon* daemon_;
};
#endif

}  // namespace pantryd::bench
