#include <fmt/format.h>
#include <malloc.h>

#include "base/error.h"
#include "base/hangup.h"
#include "base/log.h"
#include "cli/subcommands.h"
#include "serve/fleet.h"
#include "serve/http.h"

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

/// A file that cannot be used changes nothing: what was watched goes on.
void reload(const Context& context, const HttpSettings& http, Fleet& fleet,
            probes::SnapshotStore& store) {
  try {
    const auto settings = load_settings(context);
    const auto changes = fleet.apply(settings);
    store.note_reload(true, probes::WallClock::now());
    log::info("configuration read again; targets begun: {}; ended: {}; begun anew: {}",
              listed(changes.begun), listed(changes.ended), listed(changes.renewed));
    if (settings.http.address != http.address || settings.http.port != http.port) {
      log::warn("http.listen changed: it takes a restart");
    }
  } catch (const Error& error) {
    store.note_reload(false, probes::WallClock::now());
    log::error("the configuration was not taken over: {} HINT: {}", error.what(), error.hint());
  }
}

}  // namespace

int run_serve(const Context& context, const Arguments& arguments) {
  if (!parse("serve [--config FILE]", {}, {}, arguments)) return 0;
  ::mallopt(M_ARENA_MAX, kMemoryArenas);
  ::mallopt(M_MMAP_THRESHOLD, kLargePieceBytes);
  const auto settings = load_settings(context);
  probes::SnapshotStore store;
  Fleet fleet(store);
  Hangup hangup;
  const HttpServer http(settings.http.address, settings.http.port, store, PANTRYD_VERSION);
  log::info("serving http://{}:{}/metrics, {} target(s)", settings.http.address, settings.http.port,
            settings.targets.size());
  (void)fleet.apply(settings);
  store.note_reload(true, probes::WallClock::now());
  while (!context.stop->requested()) {
    if (hangup.wait(*context.stop, Deadline::in(kGiveBack))) {
      reload(context, settings.http, fleet, store);
    }
    ::malloc_trim(0);
  }
  log::info("stopping");
  fleet.request_stop();
  return 0;
}

}  // namespace pantryd::cli
