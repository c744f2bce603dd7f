// Takes a conninfo apart with libpq and keeps passwords out of everything that is printed.
#include "pg/conninfo.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <regex>

#include "base/error.h"
#include "pg/internal/conninfo_check.h"

namespace pantryd::pg {
namespace {

constexpr std::array<std::string_view, 4> kSecretKeywords{
    "password", "sslpassword", "scram_client_key", "oauth_client_secret"};

bool is_secret(std::string_view keyword) {
  for (const auto secret : kSecretKeywords) {
    if (keyword == secret) return true;
  }
  return false;
}

std::string quoted(const std::string& value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "'";
}

/// Whatever its case; `word` is lower case.
bool contains_word(std::string_view text, std::string_view word) {
  return std::search(text.begin(), text.end(), word.begin(), word.end(), [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         }) != text.end();
}

bool is_plain(const std::string& value) {
  return !value.empty() && value.find_first_of(" '\\\t\n") == std::string::npos;
}

/// libpq quotes the offending piece of the text, which may be a piece of the password.
std::string without_quotations(const std::string& message) {
  static const std::regex quotation("\"[^\"]*\"");
  return std::regex_replace(message, quotation, "\"...\"");
}

}  // namespace

Conninfo Conninfo::parse(std::string_view text) {
  char* reason = nullptr;
  const std::string copy(text);
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(copy.c_str(), &reason), &PQconninfoFree);
  if (!options) {
    std::string message = reason != nullptr ? without_quotations(reason) : "out of memory";
    PQfreemem(reason);
    throw Error(ExitCode::usage, "the connection string cannot be parsed: " + message,
                "Write \"host=... port=... dbname=... user=...\" or "
                "postgresql://user@host:port/dbname, and put the password into a passfile.");
  }
  Conninfo parsed;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr && *option->val != '\0')
      parsed.values_[option->keyword] = option->val;
  }
  check_conninfo(parsed);
  return parsed;
}

std::string Conninfo::get(const std::string& keyword) const {
  const auto found = values_.find(keyword);
  return found == values_.end() ? std::string() : found->second;
}

Conninfo Conninfo::with(const std::string& keyword, std::string value) const {
  Conninfo copy = *this;
  if (value.empty()) {
    copy.values_.erase(keyword);
  } else {
    copy.values_[keyword] = std::move(value);
  }
  return copy;
}

std::string Conninfo::display() const {
  std::string out;
  for (const char* keyword : {"host", "hostaddr", "port", "dbname", "user"}) {
    const auto value = get(keyword);
    if (value.empty()) continue;
    if (!out.empty()) out.push_back(' ');
    out += std::string(keyword) + "=" + (is_plain(value) ? value : quoted(value));
  }
  return out.empty() ? "the default server" : mask(out);
}

std::string Conninfo::host_port() const {
  auto host = get("host");
  if (host.empty()) host = get("hostaddr");
  if (host.empty()) host = "local socket";
  const auto port = get("port");
  return host + ":" + (port.empty() ? "5432" : port);
}

std::string Conninfo::masked() const {
  Conninfo copy = *this;
  for (auto& [keyword, value] : copy.values_) {
    if (is_secret(keyword)) value = "***";
  }
  return copy.reveal();
}

std::string Conninfo::reveal() const {
  std::string out;
  for (const auto& [keyword, value] : values_) {
    if (!out.empty()) out.push_back(' ');
    out += keyword + "=" + (is_plain(value) ? value : quoted(value));
  }
  return out;
}

std::string Conninfo::mask(std::string text) const {
  for (const auto& [keyword, value] : values_) {
    if (!is_secret(keyword) || value.empty()) continue;
    for (auto at = text.find(value); at != std::string::npos; at = text.find(value, at + 3)) {
      text.replace(at, value.size(), "***");
    }
  }
  return mask_secrets(text);
}

std::string mask_secrets(std::string_view text) {
  static const std::regex keyword_form(
      "(password\\s*=\\s*)('(?:[^'\\\\]|\\\\.)*'|\"[^\"]*\"|[^\\s&\"']+)", std::regex::icase);
  static const std::regex uri_form("(postgres(?:ql)?://[^:/@\\s]*:)[^@\\s]*@", std::regex::icase);
  std::string out(text);
  // The expressions are slow, and few texts hold either word.
  if (contains_word(out, "password")) out = std::regex_replace(out, keyword_form, "$1***");
  if (contains_word(out, "postgres")) out = std::regex_replace(out, uri_form, "$1***@");
  return out;
}

}  // namespace pantryd::pg
