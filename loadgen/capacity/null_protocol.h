// The messages of PostgreSQL's protocol 3 that a target without rows has to send.
// Source: PostgreSQL manual, "Message Formats".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pantryd::loadgen {

[[nodiscard]] std::uint32_t read_u32(const char* from);  ///< in network order

void put_message(std::string& to, char type, std::string_view body);
/// From AuthenticationOk to the first ReadyForQuery.
void put_greeting(std::string& to, std::uint32_t pid);
void put_ready(std::string& to);
void put_complete(std::string& to, std::string_view tag);
/// RowDescription: columns of type text.
void put_columns(std::string& to, std::uint16_t count);
void put_row(std::string& to, std::string_view value);

[[nodiscard]] bool is_version_question(std::string_view sql);
/// What is answered with no rows at all, of two columns.
[[nodiscard]] bool is_empty_question(std::string_view sql);
/// What a statement gets that was not prepared under a name. False: it was an error.
[[nodiscard]] bool answer_by_text(std::string& to, std::string_view sql, bool with_columns);

/// The zero-terminated string at `at`, which moves behind it.
[[nodiscard]] std::string_view take_text(std::string_view body, std::size_t& at);

}  // namespace pantryd::loadgen
