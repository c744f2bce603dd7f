// Private to sandbox/: the steps of Sandbox::up, in order. Whoever drives them removes the folder
// when one of them throws.
#pragma once

#include "sandbox/internal/server.h"
#include "sandbox/sandbox.h"

namespace pantryd {

class SandboxBuilder {
 public:
  SandboxBuilder(const SandboxOptions& options, Deadline deadline, const StopFlag* stop)
      : options_(options), deadline_(deadline), stop_(stop) {}

  void make_folders();
  void initialise_primary();
  void start_primary();
  void create_database();
  void clone_standby();
  void start_standby();

  [[nodiscard]] static pg::Conninfo conninfo(const std::filesystem::path& dir, std::uint16_t port,
                                             const std::string& database);
  [[nodiscard]] static ServerPlace primary_place(const SandboxOptions& options);
  [[nodiscard]] static ServerPlace standby_place(const SandboxOptions& options);

 private:
  void own(const std::filesystem::path& path, unsigned mode) const;
  void write_owned(const std::filesystem::path& path, const std::string& content) const;

  const SandboxOptions& options_;
  Deadline deadline_;
  const StopFlag* stop_;
};

}  // namespace pantryd
