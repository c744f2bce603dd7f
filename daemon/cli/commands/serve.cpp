// The serve command: watches the targets until it is stopped. Invariant: a configuration that
// cannot be read changes nothing, and what was watched goes on.
#include <fmt/format.h>
#include <malloc.h>

#include "base/error.h"
#include "base/hangup.h"
#include "base/log.h"
#include "cli/command.h"
#include "serve/fleet.h"
#include "serve/http/server.h"
#include "serve/targets.h"
#include "settings/settings.h"

namespace pantryd::cli {
namespace {

/// The C library gives threads memory of their own, eight times as many pieces as there are cores,
/// and each keeps what was freed in it. Here are five threads a target that are mostly asleep.
constexpr int kMemoryArenas = 2;
/// Pages and answers of servers are large and short-lived: pieces of this size go back to the
/// kernel when they are freed, and what smaller ones left is given back from time to time.
constexpr int kLargePieceBytes = 256 * 1024;
constexpr auto kGiveBack = std::chrono::seconds(10);

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

void reload(const Context& context, const ListenList& listen, Fleet& fleet,
            probes::SnapshotStore& store) {
  try {
    const auto settings = load_settings(context);
    const auto changes = fleet.apply(settings);
    store.note_reload(true, probes::WallClock::now());
    log::info("configuration reloaded; targets added: {}; removed: {}; restarted: {}",
              listed(changes.begun), listed(changes.ended), listed(changes.renewed));
    if (!(settings.http.listen == listen)) {
      log::warn("http.listen changed: it takes effect at the next restart");
    }
  } catch (const Error& error) {
    store.note_reload(false, probes::WallClock::now());
    log::error("the configuration was not reloaded: {}", error.in_one_line());
  }
}

int run_serve(const Context& context, const Values&) {
  ::mallopt(M_ARENA_MAX, kMemoryArenas);
  ::mallopt(M_MMAP_THRESHOLD, kLargePieceBytes);
  const auto settings = load_settings(context);
  check_names(settings);  // before anything is served
  probes::SnapshotStore store;
  Fleet fleet(store);
  Hangup hangup;
  const auto& listen = settings.http.listen;
  const HttpServer http(listen.all, store, PANTRYD_VERSION);
  for (const auto& each : listen.all) {
    log::info("serving http://{}/metrics, {} target(s)", each.text(), settings.targets.size());
  }
  (void)fleet.apply(settings);
  store.note_reload(true, probes::WallClock::now());
  while (!context.stop->requested()) {
    if (hangup.wait(*context.stop, Deadline::in(kGiveBack))) {
      reload(context, listen, fleet, store);
    }
    ::malloc_trim(0);
  }
  log::info("stopping");
  fleet.request_stop();
  return 0;
}

}  // namespace

Command serve_command() {
  return {.name = "serve",
          .summary = "watch the targets and serve their metrics",
          .usage = "[--config FILE]",
          .options = {},
          .examples = {"pantryd serve --config /etc/pantryd/pantryd.yaml"},
          .exits = {{0, "stopped by SIGINT or SIGTERM"}},
          .run = run_serve};
}

}  // namespace pantryd::cli
