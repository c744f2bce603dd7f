#include <fmt/format.h>

#include "base/error.h"
#include "base/log.h"
#include "cli/subcommands.h"
#include "serve/http.h"
#include "serve/targets.h"

namespace pantryd::cli {

int run_serve(const Context& context, const Arguments& arguments) {
  if (!parse("serve [--config FILE]", {}, {}, arguments)) return 0;
  const auto settings = load_settings(context);
  probes::SnapshotStore store;
  const auto watchers = make_watchers(settings, store);
  const HttpServer http(settings.http.address, settings.http.port, store, PANTRYD_VERSION);
  log::info("serving http://{}:{}/metrics, {} target(s)", settings.http.address, settings.http.port,
            settings.targets.size());
  for (const auto& watcher : watchers) watcher->start();
  while (!context.stop->wait(Deadline::in(std::chrono::hours(1)))) {
  }
  log::info("stopping");
  for (const auto& watcher : watchers) watcher->request_stop();
  return 0;
}

}  // namespace pantryd::cli
