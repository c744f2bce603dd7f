// Which statements are prepared in a session, by their text: bounded, least recently used first
// out. No PostgreSQL in here; what has to be sent to the server is the owner's work.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pg/session_mark.h"

namespace pantryd::pg {

struct CachedStatement {
  enum class State : std::uint8_t {
    absent,    ///< not on the server
    known,     ///< on the server
    doubtful,  ///< perhaps on the server
    stale,     ///< on the server, and useless until it is prepared again
  };
  std::string text;
  std::string name;  ///< derived from the text
  Mark mark = Mark::clean;
  State state = State::absent;
};

/// "pantryd_" and a 128 bit hash of the text in hex. Not a cryptographic one: whoever uses the name
/// keeps the text with it and compares.
[[nodiscard]] std::string statement_name(std::string_view text);

class PreparedCache {
 public:
  using Namer = std::string (*)(std::string_view text);
  using Statement = std::shared_ptr<CachedStatement>;

  /// Evicted statements that the server still holds wait to be taken; as many as `evicted_max`.
  explicit PreparedCache(std::size_t statements_max, std::size_t evicted_max = 64,
                         Namer namer = &statement_name);

  /// The statement of this text, which is now the most recently used one. A new one is `absent` and
  /// may have pushed another out. Null when it has to run unnamed: another text has its name, or
  /// nothing more can be pushed out until take_evicted().
  [[nodiscard]] Statement use(const std::string& text);
  /// It is not on the server and need not be remembered.
  void drop(const Statement& statement);

  /// The server dropped all of them.
  void forget_all();
  /// The server dropped one of them, and it is not known which.
  void doubt_all();

  [[nodiscard]] std::size_t size() const { return used_.size(); }
  [[nodiscard]] std::size_t evicted() const { return evicted_.size(); }
  /// Names to be deallocated, at most `count` of them; they are forgotten here.
  [[nodiscard]] std::vector<std::string> take_evicted(std::size_t count);

 private:
  [[nodiscard]] Statement take_back(const std::string& text, const std::string& name, bool& clash);
  [[nodiscard]] bool make_room();
  [[nodiscard]] bool names_differ() const;

  std::size_t statements_max_;
  std::size_t evicted_max_;
  Namer namer_;
  std::list<Statement> used_;
  std::unordered_map<std::string_view, std::list<Statement>::iterator> by_text_;
  std::list<Statement> evicted_;
};

}  // namespace pantryd::pg
