// A server of one major and its standby, for tests of what depends on the version. The servers are
// those that servers.install has put into the build folder.
#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"
#include "sandbox/sandbox.h"

namespace pantryd::testing_support {

struct Server {
  pg::Conninfo where;
  bool is_standby = false;
};

/// A primary and a standby of one major. Everything of it is gone with it.
class ServerPair {
 public:
  /// `content` is a script that the owner runs on the primary once it is followed.
  ServerPair(int major, const std::string& content);
  ~ServerPair() { sandbox_.stop_standby(); }
  ServerPair(const ServerPair&) = delete;
  ServerPair& operator=(const ServerPair&) = delete;

  [[nodiscard]] pg::Conninfo owner() const { return sandbox_.primary(); }
  [[nodiscard]] std::vector<Server> servers() const {
    return {{sandbox_.primary(), false}, {sandbox_.standby(), true}};
  }

 private:
  void as_server(const std::string& script) const;
  void clone() const;
  void fill(const std::string& content) const;

  Sandbox sandbox_;
};

}  // namespace pantryd::testing_support
