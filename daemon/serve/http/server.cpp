// Invariant: the door, the clients and the pages are touched by thread_ alone, apart from stop_.
#include "serve/http/server.h"

#include <event2/event.h>
#include <pthread.h>

#include <csignal>
#include <thread>

#include "base/error.h"
#include "base/stop.h"
#include "serve/http/clients.h"
#include "serve/http/door.h"
#include "serve/http/listeners.h"

namespace pantryd {
namespace {

/// libevent writes without MSG_NOSIGNAL, and signals are for the main thread.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

struct FreeBase {
  void operator()(event_base* base) const { ::event_base_free(base); }
};

void end_loop(evutil_socket_t, short, void* base) {
  ::event_base_loopbreak(static_cast<event_base*>(base));
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const std::vector<Listen>& listen, const probes::SnapshotStore& store, std::string version,
       HttpLimits limits)
      : listeners_(listen),
        pages_(store, std::move(version)),
        base_(::event_base_new()),
        clients_(checked_base(), pages_, limits),
        door_(checked_base(), listeners_.descriptors(), clients_),
        stopping_(checked_base(), stop_.fd(), EV_READ, end_loop, base_.get()) {
    stopping_.add();
    const NoSignals inherited;
    thread_ = std::thread([this] { ::event_base_dispatch(base_.get()); });
  }
  ~Impl() {
    stop_.request();
    thread_.join();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

 private:
  event_base* checked_base() const {
    if (!base_) throw Error(ExitCode::failed, "libevent cannot make an event loop");
    return base_.get();
  }

  StopFlag stop_;
  Listeners listeners_;
  Pages pages_;
  std::unique_ptr<event_base, FreeBase> base_;
  Clients clients_;
  Door door_;
  LoopEvent stopping_;
  std::thread thread_;
};

HttpServer::HttpServer(const std::vector<Listen>& listen, const probes::SnapshotStore& store,
                       std::string version, HttpLimits limits)
    : impl_(std::make_unique<Impl>(listen, store, std::move(version), limits)) {}

HttpServer::~HttpServer() = default;

}  // namespace pantryd
