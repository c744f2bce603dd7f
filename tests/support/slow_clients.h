// Clients that try to stall a page: some never end their headers, some hardly read their answer.
// All of them are on one thread, and each opens a new connection when it loses one.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/deadline.h"
#include "base/stop.h"

namespace pantryd::testing_support {

class SlowClients {
 public:
  struct Plan {
    int headers = 200;  ///< send a byte of a header from time to time
    int readers = 200;  ///< ask for /metrics, and read a few bytes from time to time
    std::chrono::milliseconds pause{250};     ///< between two of these
    std::chrono::milliseconds reopen{3'000};  ///< also without need
    bool idle_headers = false;                ///< send nothing at all
  };

  /// Of 127.0.0.1:`port`.
  SlowClients(std::uint16_t port, Plan plan);
  ~SlowClients();
  SlowClients(const SlowClients&) = delete;
  SlowClients& operator=(const SlowClients&) = delete;

  [[nodiscard]] std::int64_t opened() const { return opened_.load(); }
  /// By the server, or by the kernel in its name.
  [[nodiscard]] std::int64_t lost() const { return lost_.load(); }

 private:
  struct Client {
    int fd = -1;
    bool reader = false;
    bool asked = false;
    SteadyClock::time_point next;
    SteadyClock::time_point end;
  };
  void run();
  void open(Client& client);
  void step(Client& client);
  void close(Client& client, bool by_server);
  [[nodiscard]] bool send_some(const Client& client, const char* text) const;

  const std::uint16_t port_;
  const Plan plan_;
  StopFlag stop_;
  std::vector<Client> clients_;
  std::atomic<std::int64_t> opened_{0};
  std::atomic<std::int64_t> lost_{0};
  std::thread thread_;
};

}  // namespace pantryd::testing_support
