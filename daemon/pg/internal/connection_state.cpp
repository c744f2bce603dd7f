// Invariants: `session` is null exactly when the connection is broken. `mark` is the highest of
// the statements sent since the connect or the last reset. `named` holds at most kNamedMax; a name
// that is not in it counts as one that changes the session.
#include "pg/internal/connection_state.h"

#include "base/assert.h"

namespace pantryd::pg {
namespace {

constexpr std::size_t kNoticesMax = 100;
constexpr std::size_t kNamedMax = 1024;

}  // namespace

void Connection::State::close() {
  if (session != nullptr) PQfinish(session);
  session = nullptr;
}

void Connection::State::remember(const std::string& name, const std::string& sql) {
  if (named.size() >= kNamedMax && named.find(name) == named.end()) return;
  named[name] = {sql.substr(0, StatementSlot::kTextMax + 1), mark_of_text(sql)};
  PANTRYD_ASSERT(named.size() <= kNamedMax);
}

void Connection::State::note_named(const std::string& name) {
  const auto found = named.find(name);
  if (found != named.end()) return note(found->second.text_begin, found->second.mark);
  note("prepared statement " + name, Mark::changed);
}

void Connection::State::observe(const pg_result* result) {
  // libpq's signature lacks the const; it does not write.
  const std::string_view tag = PQcmdStatus(const_cast<pg_result*>(result));
  if (tag.empty()) return;
  if (const auto effect = mark_of_tag(tag); effect > mark) mark = effect;
  switch (prepared_effect_of_tag(tag)) {
    case PreparedEffect::none:
      break;
    case PreparedEffect::one_made:
      others_prepared = true;
      break;
    case PreparedEffect::one_dropped:
      if (!deallocating) cache.doubt_all();
      break;
    case PreparedEffect::all_dropped:
      cache.forget_all();
      others_prepared = false;
      break;
  }
}

void Connection::State::on_notice(void* self, const pg_result* result) {
  auto& notices = static_cast<State*>(self)->notices;
  const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  if (notices.size() == kNoticesMax) notices.pop_front();
  notices.emplace_back(one_line(text != nullptr ? text : ""));
}

}  // namespace pantryd::pg
