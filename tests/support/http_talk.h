// One connection to a server of HTTP/1.1, byte by byte as a test wants it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pantryd::testing_support {

struct Reply {
  int status = 0;
  std::string head;
  std::string body;

  /// The value of the header; empty without it.
  [[nodiscard]] std::string header(std::string_view name) const;
};

class HttpTalk {
 public:
  /// `address` is IPv4 or IPv6. `receive_bytes`: of the kernel's buffer, 0 for its default.
  explicit HttpTalk(std::uint16_t port, const std::string& address = "127.0.0.1",
                    int receive_bytes = 0);
  ~HttpTalk();
  HttpTalk(const HttpTalk&) = delete;
  HttpTalk& operator=(const HttpTalk&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  /// False when the connection is gone.
  bool send(std::string_view bytes);
  /// The next answer by its Content-Length; nothing when it does not come whole. `bodiless`: of
  /// HEAD.
  [[nodiscard]] std::optional<Reply> read(
      std::chrono::milliseconds patience = std::chrono::seconds(5), bool bodiless = false);
  /// Some bytes of an answer; "" when none came.
  [[nodiscard]] std::string read_some(std::size_t most, std::chrono::milliseconds patience);
  /// Whether the server ends the connection within that time, by FIN or RST.
  [[nodiscard]] bool ends_within(std::chrono::milliseconds patience);

 private:
  [[nodiscard]] bool more(std::chrono::milliseconds patience);
  int fd_ = -1;
  bool connected_ = false;
  std::string got_;  ///< and not yet returned
};

/// One request on a connection of its own.
[[nodiscard]] std::optional<Reply> ask(std::uint16_t port, std::string_view request,
                                       bool bodiless = false);
/// GET of `path` with Host, and `headers`, each ending with "\r\n".
[[nodiscard]] std::string get_request(std::string_view path, std::string_view headers = {});
/// What gzip packed; empty when it is damaged.
[[nodiscard]] std::string unpacked(const std::string& gzip);

}  // namespace pantryd::testing_support
