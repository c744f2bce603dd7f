// Invariant: a handler reads the snapshot store and nothing else.
#include "serve/http.h"

#include <CivetServer.h>
#include <fmt/format.h>

#include "base/error.h"
#include "probes/engine/page.h"

namespace pantryd {
namespace {

constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kTextType = "text/plain; charset=utf-8";

void answer(mg_connection* connection, int status, const char* reason, const char* type,
            const std::string& body) {
  mg_printf(connection,
            "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
            "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
            status, reason, type, body.size());
  const auto* request = mg_get_request_info(connection);
  if (std::string_view(request->request_method) != "HEAD") {
    mg_write(connection, body.data(), body.size());
  }
}

class Handler : public CivetHandler {
 public:
  explicit Handler(const probes::SnapshotStore& store) : store_(store) {}
  bool handleGet(CivetServer*, mg_connection* connection) override {
    respond(connection);
    return true;
  }
  bool handleHead(CivetServer*, mg_connection* connection) override {
    respond(connection);
    return true;
  }

 protected:
  virtual void respond(mg_connection* connection) = 0;
  const probes::SnapshotStore& store_;
};

class MetricsHandler : public Handler {
 public:
  MetricsHandler(const probes::SnapshotStore& store, std::string version)
      : Handler(store), version_(std::move(version)) {}

 protected:
  void respond(mg_connection* connection) override { tell(connection, store_.all()); }
  /// With ?types=postgres_exporter the peer's types are told as they are.
  void tell(mg_connection* connection,
            std::vector<std::shared_ptr<const probes::TargetSnapshot>> targets) const {
    std::string types;
    const bool as_declared =
        CivetServer::getParam(connection, "types", types) && types == "postgres_exporter";
    answer(connection, 200, "OK", kMetricsType,
           probes::render_page(
               {std::move(targets), version_, probes::WallClock::now(),
                as_declared ? probes::TypeStyle::as_declared : probes::TypeStyle::lint_clean,
                store_.reload()}));
  }
  const std::string version_;
};

class ProbeHandler : public MetricsHandler {
 public:
  using MetricsHandler::MetricsHandler;

 protected:
  void respond(mg_connection* connection) override {
    std::string wanted;
    if (!CivetServer::getParam(connection, "target", wanted)) {
      answer(connection, 400, "Bad Request", kTextType, "Name a target: /probe?target=NAME\n");
      return;
    }
    for (const auto& target : store_.all()) {
      if (target->target != wanted) continue;
      tell(connection, {target});
      return;
    }
    answer(connection, 404, "Not Found", kTextType, "There is no such target.\n");
  }
};

class HealthHandler : public Handler {
  using Handler::Handler;
  void respond(mg_connection* connection) override {
    answer(connection, 200, "OK", kTextType, "ok\n");
  }
};

/// Ready: every target was checked, whatever was seen there. A target that is down is for its
/// alert to tell; taking the daemon out of service for it would hide all the others.
class ReadyHandler : public Handler {
  using Handler::Handler;
  void respond(mg_connection* connection) override {
    bool ready = store_.reload().has_value();  // else there may be targets that are not here yet
    std::string body;
    for (const auto& target : store_.all()) {
      bool looked = target->looked();
      for (const auto& probe : target->probes) looked = looked && probe->ran();
      ready = ready && looked;
      body += fmt::format("{}: {}\n", target->target,
                          !looked ? "not checked yet" : (target->up ? "up" : "down"));
    }
    answer(connection, ready ? 200 : 503, ready ? "OK" : "Service Unavailable", kTextType, body);
  }
};

class IndexHandler : public Handler {
  using Handler::Handler;
  void respond(mg_connection* connection) override {
    const std::string_view path = mg_get_request_info(connection)->local_uri;
    if (path != "/") {
      answer(connection, 404, "Not Found", kTextType, "There is no such page.\n");
      return;
    }
    answer(connection, 200, "OK", kTextType,
           "pantryd\n\n/metrics              all targets, for Prometheus\n"
           "/probe?target=NAME    one target\n/healthz              the process answers\n"
           "/readyz               every target was checked\n");
  }
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const std::string& listen, const probes::SnapshotStore& store, std::string version)
      : metrics_(store, version),
        probe_(store, std::move(version)),
        health_(store),
        ready_(store),
        index_(store),
        server_(options(listen)) {
    server_.addHandler("/metrics", metrics_);
    server_.addHandler("/probe", probe_);
    server_.addHandler("/healthz", health_);
    server_.addHandler("/readyz", ready_);
    server_.addHandler("/", index_);
  }

 private:
  // An idle connection must not keep a scrape waiting: several threads, short patience.
  static std::vector<std::string> options(const std::string& listen) {
    return {"listening_ports",          listen, "num_threads",           "8",
            "request_timeout_ms",       "5000", "keep_alive_timeout_ms", "0",
            "enable_directory_listing", "no"};
  }

  MetricsHandler metrics_;
  ProbeHandler probe_;
  HealthHandler health_;
  ReadyHandler ready_;
  IndexHandler index_;
  CivetServer server_;  // last: it stops before the handlers go
};

HttpServer::HttpServer(const std::string& address, std::uint16_t port,
                       const probes::SnapshotStore& store, std::string version) {
  const auto listen = fmt::format("{}:{}", address, port);
  try {
    impl_ = std::make_unique<Impl>(listen, store, std::move(version));
  } catch (const CivetException&) {
    throw Error(ExitCode::failed, fmt::format("cannot listen on {}", listen),
                "Another process may hold the port: choose one with http.listen.");
  }
}

HttpServer::~HttpServer() = default;

}  // namespace pantryd
