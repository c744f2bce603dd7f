// The daemon's pages, over civetweb: a few threads that read from memory and never wait for
// PostgreSQL.
//   /metrics              all targets          /probe?target=NAME   one
//   /healthz              the process answers  /readyz              each target was looked at
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "probes/engine/snapshot.h"

namespace pantryd {

class HttpServer {
 public:
  /// Listens at once. Throws Error(failed) that names the address when it is taken.
  HttpServer(const std::string& address, std::uint16_t port, const probes::SnapshotStore& store,
             std::string version);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pantryd
