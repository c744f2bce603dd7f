// Writes and reads the messages of the protocol that the null target speaks.
#include "loadgen/null/null_protocol.h"

#include <arpa/inet.h>

#include <cstring>

namespace pantryd::loadgen {
namespace {

void put_u32(std::string& to, std::uint32_t value) {
  const auto network = htonl(value);
  to.append(reinterpret_cast<const char*>(&network), sizeof network);
}

void put_u16(std::string& to, std::uint16_t value) {
  const auto network = htons(value);
  to.append(reinterpret_cast<const char*>(&network), sizeof network);
}

void put_error(std::string& to, std::string_view sqlstate, std::string_view text) {
  std::string body;
  body.append("SERROR").push_back('\0');
  body.append("C").append(sqlstate).push_back('\0');
  body.append("M").append(text).push_back('\0');
  body.push_back('\0');
  put_message(to, 'E', body);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

std::uint32_t read_u32(const char* from) {
  std::uint32_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return ntohl(value);
}

void put_message(std::string& to, char type, std::string_view body) {
  to.push_back(type);
  put_u32(to, static_cast<std::uint32_t>(body.size() + 4));
  to.append(body);
}

void put_ready(std::string& to) {
  put_message(to, 'Z', "I");
}

void put_complete(std::string& to, std::string_view tag) {
  put_message(to, 'C', std::string(tag) + '\0');
}

void put_columns(std::string& to, std::uint16_t count) {
  std::string body;
  put_u16(body, count);
  for (std::uint16_t i = 0; i < count; ++i) {
    body.append("null").push_back('\0');
    put_u32(body, 0);           // table
    put_u16(body, 0);           // column of it
    put_u32(body, 25);          // text
    put_u16(body, 0xFFFF);      // length varies
    put_u32(body, 0xFFFFFFFF);  // no modifier
    put_u16(body, 0);           // text format
  }
  put_message(to, 'T', body);
}

void put_row(std::string& to, const std::vector<std::string_view>& values) {
  std::string body;
  put_u16(body, static_cast<std::uint16_t>(values.size()));
  for (const auto value : values) {
    put_u32(body, static_cast<std::uint32_t>(value.size()));
    body.append(value);
  }
  put_message(to, 'D', body);
}

void put_greeting(std::string& to, std::uint32_t pid) {
  std::string zero;
  put_u32(zero, 0);
  put_message(to, 'R', zero);
  for (const std::string_view pair :
       {std::string_view("server_version\0"
                         "15.0 (null target)\0",
                         34),
        std::string_view("client_encoding\0UTF8\0", 21),
        std::string_view("server_encoding\0UTF8\0", 21),
        std::string_view("standard_conforming_strings\0on\0", 31),
        std::string_view("integer_datetimes\0on\0", 21),
        std::string_view("in_hot_standby\0off\0", 19),
        std::string_view("default_transaction_read_only\0off\0", 34)}) {
    put_message(to, 'S', pair);
  }
  std::string key;
  put_u32(key, pid);
  put_u32(key, 0);
  put_message(to, 'K', key);
  put_ready(to);
}

std::optional<NullAnswer> answer_of(std::string_view sql) {
  if (contains(sql, "SHOW server_version")) return NullAnswer{1, {"0 (null target)"}};
  // Is there room: our process, connections at most, reserved ones, and those in use.
  if (contains(sql, "current_setting('max_connections')::int8")) {
    return NullAnswer{4, {"1", "2000", "0", "0"}};
  }
  if (contains(sql, "FROM pg_settings") || contains(sql, "pg_prepared_statements")) {
    return NullAnswer{2, {}};
  }
  return std::nullopt;
}

bool answer_by_text(std::string& to, std::string_view sql, bool with_columns) {
  if (const auto answer = answer_of(sql)) {
    if (with_columns) put_columns(to, answer->columns);
    if (!answer->row.empty()) put_row(to, answer->row);
    put_complete(to, answer->row.empty() ? "SELECT 0" : "SELECT 1");
    return true;
  }
  if (sql.substr(0, 6) == "SELECT" || sql.substr(0, 4) == "WITH") {
    put_error(to, "0A000", "a null target has no catalogue");
    return false;
  }
  put_complete(to, "SET");
  return true;
}

std::string_view take_text(std::string_view body, std::size_t& at) {
  const auto end = body.find('\0', at);
  if (end == std::string_view::npos) {
    at = body.size();
    return {};
  }
  const auto text = body.substr(at, end - at);
  at = end + 1;
  return text;
}

}  // namespace pantryd::loadgen
