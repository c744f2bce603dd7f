// A head is read once, when it is complete; nothing is kept between two.
#include "serve/http/request.h"

#include <algorithm>

namespace pantryd {
namespace {

constexpr std::string_view kLineEnd = "\r\n";

bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto end = std::min(list.find(','), list.size());
    if (lower(trimmed(list.substr(0, end))) == word) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

/// What the headers of a request say of the request itself.
struct Facts {
  int minor_version = 1;
  int hosts = 0;
  int lengths = 0;
  std::string_view length;
  bool encoded = false;  ///< Transfer-Encoding
  bool close = false;
  bool keep_alive = false;
};

std::optional<Refusal> read_request_line(std::string_view line, Facts& facts, Request& out) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) {
    return Refusal{400, "The request line is not METHOD TARGET VERSION."};
  }
  const auto method = line.substr(0, first);
  auto target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(method) || target.empty() || has_control(target) ||
      target.find_first_of(" \t") != std::string_view::npos) {
    return Refusal{400, "The request line is not METHOD TARGET VERSION."};
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return version.starts_with("HTTP/") ? Refusal{505, "Only HTTP/1.1 and HTTP/1.0 are spoken."}
                                        : Refusal{400, "The version is not one of HTTP."};
  }
  facts.minor_version = version.back() - '0';
  if (method == "GET") out.method = Request::Method::get;
  if (method == "HEAD") out.method = Request::Method::head;
  if (out.method == Request::Method::other) return std::nullopt;  // any form of target
  if (lower(target.substr(0, 7)) == "http://") {
    const auto path = target.find('/', 7);
    target = path == std::string_view::npos ? "/" : target.substr(path);
  }
  if (target.front() != '/') return Refusal{400, "The target is not a path."};
  const auto mark = target.find('?');
  out.path = target.substr(0, mark);
  if (mark != std::string_view::npos) out.query = target.substr(mark + 1);
  return std::nullopt;
}

std::optional<Refusal> read_header(std::string_view line, Facts& facts, Request& out) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return Refusal{400, "A header is not NAME: VALUE."};
  }
  const auto name = lower(line.substr(0, colon));
  const auto value = trimmed(line.substr(colon + 1));
  if (has_control(value)) return Refusal{400, "A header has control characters."};
  const auto append = [&](std::string& list) {
    if (!list.empty()) list += ',';
    list += value;
  };
  if (name == "host") {
    ++facts.hosts;
  } else if (name == "content-length") {
    ++facts.lengths;
    facts.length = value;
  } else if (name == "transfer-encoding") {
    facts.encoded = true;
  } else if (name == "connection") {
    facts.close = facts.close || lists(value, "close");
    facts.keep_alive = facts.keep_alive || lists(value, "keep-alive");
  } else if (name == "accept") {
    append(out.accept);
  } else if (name == "accept-encoding") {
    append(out.accept_encoding);
  }
  return std::nullopt;
}

std::optional<Refusal> judge(const Facts& facts) {
  if (facts.hosts > 1) return Refusal{400, "There is more than one Host."};
  if (facts.minor_version == 1 && facts.hosts == 0) {
    return Refusal{400, "HTTP/1.1 requires a Host."};
  }
  if (facts.encoded && facts.lengths > 0) {
    return Refusal{400, "Content-Length and Transfer-Encoding exclude each other."};
  }
  if (facts.encoded && facts.minor_version == 0) {
    return Refusal{400, "HTTP/1.0 has no Transfer-Encoding."};
  }
  const bool number = std::all_of(facts.length.begin(), facts.length.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  if (facts.lengths > 1 || (facts.lengths == 1 && (facts.length.empty() || !number))) {
    return Refusal{400, "Content-Length is not one number."};
  }
  return std::nullopt;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool code =
        text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0;
    if (code) {
      out.push_back(static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

}  // namespace

std::optional<std::string> Request::parameter(std::string_view name) const {
  for (std::size_t at = 0; at < query.size();) {
    const auto end = std::min(query.find('&', at), query.size());
    const auto pair = std::string_view(query).substr(at, end - at);
    const auto mark = std::min(pair.find('='), pair.size());
    if (decoded(pair.substr(0, mark)) == name) {
      return decoded(pair.substr(std::min(mark + 1, pair.size())));
    }
    at = end + 1;
  }
  return std::nullopt;
}

std::optional<Refusal> read_request(std::string_view head, const HttpLimits& limits, Request& out) {
  Facts facts;
  std::size_t count = 0;
  for (std::size_t at = 0; at < head.size(); ++count) {
    const auto end = std::min(head.find(kLineEnd, at), head.size());
    const auto line = head.substr(at, end - at);
    at = end + kLineEnd.size();
    if (line.empty()) break;
    if (count > limits.headers) return Refusal{431, "There are too many headers."};
    const auto refusal =
        count == 0 ? read_request_line(line, facts, out) : read_header(line, facts, out);
    if (refusal) return refusal;
  }
  if (count == 0) return Refusal{400, "The request line is missing."};
  if (auto refusal = judge(facts)) return refusal;
  out.has_body = facts.encoded || facts.length.find_first_not_of('0') != std::string_view::npos;
  out.keep_alive = !facts.close && !out.has_body && (facts.minor_version == 1 || facts.keep_alive);
  return std::nullopt;
}

}  // namespace pantryd
