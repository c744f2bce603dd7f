// Private to pg/: what a Connection holds.
#pragma once

#include <libpq-fe.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pg/connection.h"
#include "pg/prepared_cache.h"
#include "pg/session_mark.h"

namespace pantryd::pg {

struct ParamPointers {
  explicit ParamPointers(const Params& params) {
    values.reserve(params.values().size());
    for (const auto& value : params.values()) values.push_back(value ? value->c_str() : nullptr);
  }
  [[nodiscard]] int count() const { return static_cast<int>(values.size()); }
  std::vector<const char*> values;
};

/// A statement that was prepared by the caller, under the caller's name.
struct NamedStatement {
  std::string text_begin;  ///< as much as a StatementSlot holds
  Mark mark = Mark::clean;
};

struct Connection::Outcome {
  Result last;
  std::optional<Result> failed;
};

struct Connection::State {
  explicit State(const ConnectOptions& options)
      : stop(options.stop), prepared(options.prepared), cache(options.statements_max) {}
  ~State() { close(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void close();
  /// Before a statement is sent: for the slot and for the mark of the session.
  void note(std::string_view sql, Mark effect) {
    slot->record(sql);
    if (effect > mark) mark = effect;
  }
  void note(std::string_view sql) { note(sql, mark_of_text(sql)); }
  void remember(const std::string& name, const std::string& sql);
  void note_named(const std::string& name);
  /// After a result was read, whoever reads it.
  void observe(const pg_result* result);
  static void on_notice(void* self, const pg_result* result);

  PGconn* session = nullptr;
  Conninfo where;
  const StopFlag* stop = nullptr;
  std::deque<std::string> notices;
  int version = 0;
  int pid = 0;
  std::string role_wanted;  ///< target_session_attrs in force

  std::shared_ptr<StatementSlot> slot = std::make_shared<StatementSlot>();
  bool guarded_at_start = false;  ///< kWatchingAtStart went with the start-up packet
  std::string settings_sql;       ///< gives the session its own settings; empty: it has none
  Mark mark = Mark::clean;
  bool others_prepared = false;  ///< by the SQL command PREPARE, since the last reset
  Prepared prepared = Prepared::automatic;
  std::optional<bool> names_work;  ///< what `automatic` found out
  PreparedCache cache;
  bool deallocating = false;  ///< what is dropped now has left the cache already
  std::unordered_map<std::string, NamedStatement> named;
};

}  // namespace pantryd::pg
