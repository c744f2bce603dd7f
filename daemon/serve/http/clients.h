// The connections: each reads a request, gets its answer, and is ended when it is slow.
#pragma once

#include <event2/bufferevent.h>

#include <list>
#include <optional>

#include "base/deadline.h"
#include "serve/http/limits.h"
#include "serve/http/pages.h"

namespace pantryd {

/// For the thread of the loop.
class Clients {
 public:
  /// `base` and `pages` outlive it.
  Clients(event_base* base, Pages& pages, const HttpLimits& limits);
  ~Clients();  ///< closes all
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// Takes over a connected socket that does not block.
  void add(int fd);
  [[nodiscard]] bool has_room() const { return all_.size() < limits_.connections; }
  [[nodiscard]] bool empty() const { return all_.empty(); }
  /// Closes the one that has been slow longest. False when none has been slow for `grace`.
  bool make_room();
  /// Closes those that have been slow for too long.
  void end_late_ones();
  /// False when no page is kept.
  bool forget_old_pages() { return pages_.forget_old(); }

  /// How many were closed to make room since take_removed().
  [[nodiscard]] std::int64_t removed() const { return removed_; }
  std::int64_t take_removed() { return std::exchange(removed_, 0); }
  [[nodiscard]] const HttpLimits& limits() const { return limits_; }

 private:
  struct Client;
  using Place = std::list<Client>::iterator;

  static void on_read(bufferevent* stream, void* client);
  static void on_written(bufferevent* stream, void* client);
  static void on_event(bufferevent* stream, short what, void* client);

  void read(Client& client);
  void answer(Client& client, std::string_view head);
  void send(Client& client, const PageAnswer& answer, bool with_body);
  void send_refusal(Client& client, const Refusal& refusal);
  void answered(Client& client);
  void end(Client& client);
  [[nodiscard]] static std::size_t pending(const Client& client);
  void save_memory();
  [[nodiscard]] Client* slowest(SteadyClock::time_point now, bool readers_only);
  static void note_progress(Client& client, SteadyClock::time_point now, const HttpLimits& limits);
  [[nodiscard]] std::chrono::milliseconds patience(const Client& client) const;

  event_base* base_;
  Pages& pages_;
  const HttpLimits limits_;
  std::list<Client> all_;
  std::int64_t removed_ = 0;
};

}  // namespace pantryd
