// The daemon's pages over HTTP: one thread with an event loop, which waits for nobody. Why it is
// built on libevent: docs/architecture.md, "The pages".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "probes/engine/snapshot.h"
#include "serve/http/limits.h"
#include "settings/listen.h"

namespace pantryd {

class HttpServer {
 public:
  /// Listens at once. Throws Error(failed) with the kernel's reason. `store` outlives it.
  HttpServer(const std::vector<Listen>& listen, const probes::SnapshotStore& store,
             std::string version, HttpLimits limits = {});
  /// Answers that are under way end where they are.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pantryd
