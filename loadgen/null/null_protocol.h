// The messages of PostgreSQL's protocol 3 that a target without rows has to send.
// Source: PostgreSQL manual, "Message Formats".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::loadgen {

[[nodiscard]] std::uint32_t read_u32(const char* from);  ///< in network order

void put_message(std::string& to, char type, std::string_view body);
/// From AuthenticationOk to the first ReadyForQuery.
void put_greeting(std::string& to, std::uint32_t pid);
void put_ready(std::string& to);
void put_complete(std::string& to, std::string_view tag);
/// RowDescription: columns of type text.
void put_columns(std::string& to, std::uint16_t count);
void put_row(std::string& to, const std::vector<std::string_view>& values);

/// What a load run asks of its server before it begins: columns of the answer, and its row if it
/// has one. None: a question that only a true server can answer, or no question.
struct NullAnswer {
  std::uint16_t columns = 0;
  std::vector<std::string_view> row;
};
[[nodiscard]] std::optional<NullAnswer> answer_of(std::string_view sql);
/// What a statement gets that was not prepared under a name. False: it was an error.
[[nodiscard]] bool answer_by_text(std::string& to, std::string_view sql, bool with_columns);

/// The zero-terminated string at `at`, which moves behind it.
[[nodiscard]] std::string_view take_text(std::string_view body, std::size_t& at);

}  // namespace pantryd::loadgen
