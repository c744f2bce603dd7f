// Invariant: the sandbox and the folder are removed by the environment `cleaner`, after all tests.
#include "tests/support/shared_sandbox.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>

#include "base/error.h"

namespace pantryd::testing_support {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Sandbox> sandbox;
std::unique_ptr<fs::path> scratch;

class Cleaner : public ::testing::Environment {
 public:
  void TearDown() override {
    sandbox.reset();
    std::error_code ignored;
    if (scratch) fs::remove_all(*scratch, ignored);
  }
};

[[maybe_unused]] const auto* const cleaner =
    ::testing::AddGlobalTestEnvironment(std::make_unique<Cleaner>().release());

}  // namespace

const fs::path& scratch_dir() {
  if (!scratch) {
    scratch = std::make_unique<fs::path>(fs::temp_directory_path() /
                                         fmt::format("pantryd-test-{}", ::getpid()));
    fs::create_directories(*scratch);
    ::chmod(scratch->c_str(), 0755);
  }
  return *scratch;
}

Sandbox& shared_sandbox() {
  if (!sandbox) {
    SandboxOptions options;
    options.dir = scratch_dir() / "sandbox";
    options.tied_to_us = true;
    sandbox = std::make_unique<Sandbox>(Sandbox::up(options));
  }
  return *sandbox;
}

ChildResult run_binary(const std::string& binary, const std::vector<std::string>& arguments,
                       std::chrono::seconds limit) {
  ChildSpec spec;
  spec.argv = {binary};
  spec.argv.insert(spec.argv.end(), arguments.begin(), arguments.end());
  return run_child(spec, Deadline::in(limit));
}

std::string dsn_of(const pg::Conninfo& where) {
  return where.reveal();
}

}  // namespace pantryd::testing_support
