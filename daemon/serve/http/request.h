// The head of an HTTP/1.x request, read strictly (RFC 9112): what two programs could understand
// differently is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "serve/http/limits.h"

namespace pantryd {

struct Request {
  enum class Method { get, head, other };
  Method method = Method::other;
  std::string path;   ///< as it was sent: nothing is decoded, folded or repaired
  std::string query;  ///< what follows the first '?'
  bool keep_alive = false;
  bool has_body = false;  ///< one that nobody reads: the connection ends after the answer
  std::string accept;
  std::string accept_encoding;

  /// The first parameter of the query with this name, decoded.
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
};

/// Why a request is refused: the status of the answer, and its text.
struct Refusal {
  int status = 400;
  const char* why = "";
};

/// `head` ends with the empty line. Returns what is wrong, or fills `out`.
[[nodiscard]] std::optional<Refusal> read_request(std::string_view head, const HttpLimits& limits,
                                                  Request& out);

}  // namespace pantryd
