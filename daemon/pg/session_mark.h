// What a statement may leave behind in its session, told from what we can see of it: its text and
// the command tag of its result. Sources: PostgreSQL manual, DISCARD and "System Administration
// Functions"; server source, cmdtaglist.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace pantryd::pg {

/// In rising order: the mark of a session is the highest of its statements.
enum class Mark : std::uint8_t {
  clean,    ///< nothing that outlives its transaction
  changed,  ///< perhaps something that a reset undoes: a setting, a lock, a temporary table
  lasting,  ///< perhaps something that no reset undoes: a loaded library, a dblink connection
};

/// By an allow-list: a tag that is not known is `changed`. The empty tag (a failed statement, the
/// begin of a COPY) is clean. CREATE TABLE AS has the tag of a SELECT: mark_of_text() sees to it.
[[nodiscard]] Mark mark_of_tag(std::string_view tag);

/// By the words of the text, those in literals and comments too, since a literal may be run by
/// EXECUTE. Sees set_config() and UPDATE pg_settings, session level advisory locks, temporary
/// relations, CALL and DO at the beginning (which may fail after a COMMIT of theirs, and then there
/// is no tag), and what lasts: dblink_connect(), temporary replication slots, replication origins
/// of the session, a running base backup, setseed(). It cannot see what a function does inside.
/// lo_open() is not in the list: its descriptors end with the transaction.
[[nodiscard]] Mark mark_of_text(std::string_view sql);

/// What a command tag means for statements prepared in the session.
enum class PreparedEffect : std::uint8_t {
  none,
  one_made,     ///< PREPARE: there is one that is not ours
  one_dropped,  ///< DEALLOCATE name: the tag does not say which
  all_dropped,  ///< DEALLOCATE ALL, DISCARD ALL
};
[[nodiscard]] PreparedEffect prepared_effect_of_tag(std::string_view tag);

}  // namespace pantryd::pg
