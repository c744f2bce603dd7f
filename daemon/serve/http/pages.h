// What each path answers, from the snapshots in memory.
//   /metrics              all targets          /probe?target=NAME   one
//   /healthz              the process answers  /readyz              each target was looked at
//
// A page of metrics is made once and shared by all that ask for it while it is new: for ten times
// as long as it took to make, and for kPageLifeLeast at least. So no number of clients makes pages
// take more than a tenth of a processor for each form of them.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "probes/engine/page.h"
#include "serve/http/request.h"

namespace pantryd {

using Body = std::shared_ptr<const std::string>;

struct PageAnswer {
  int status = 200;
  const char* type = "text/plain; charset=utf-8";
  Body body;  ///< never null
  bool gzip = false;
  bool negotiated = false;  ///< by Accept and Accept-Encoding
};

inline constexpr std::chrono::milliseconds kPageLifeLeast{250};
inline constexpr std::chrono::milliseconds kPageLifeMost{5'000};

/// For one thread.
class Pages {
 public:
  /// `store` outlives it.
  Pages(const probes::SnapshotStore& store, std::string version);

  /// 404 for every path but the four and "/", which lists them; 405 for every method but two.
  [[nodiscard]] PageAnswer answer(const Request& request);
  /// A short text, for what is refused.
  [[nodiscard]] static PageAnswer text(int status, std::string_view sentence);

  /// Lets go of pages that are no longer new. False when none is kept.
  bool forget_old();
  /// Bytes of all pages that are kept or being read.
  [[nodiscard]] std::size_t held_bytes();
  [[nodiscard]] std::size_t largest_bytes() const { return largest_; }

 private:
  struct Kept {
    Body body;
    SteadyClock::time_point until;
  };
  enum class Form { text, openmetrics };

  [[nodiscard]] PageAnswer probe(const Request& request);
  [[nodiscard]] PageAnswer ready() const;
  /// `target` empty: all of them.
  [[nodiscard]] PageAnswer metrics(const Request& request, const std::string& target);
  [[nodiscard]] Body rendered(const std::string& target, probes::TypeStyle types, Form form) const;
  void keep(const std::string& key, Kept page);

  const probes::SnapshotStore& store_;
  const std::string version_;
  std::map<std::string, Kept> kept_;                    ///< by everything that the page depends on
  std::vector<std::weak_ptr<const std::string>> lent_;  ///< each body that was made and may live
  std::size_t largest_ = 0;
};

/// `text` in gzip's format, at a level that costs little time.
[[nodiscard]] std::string gzipped(const std::string& text);

}  // namespace pantryd
