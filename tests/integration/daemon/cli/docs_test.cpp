// What the documentation says that the binary itself can tell.
#include <gmock/gmock.h>

#include "base/file.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd {
namespace {

TEST(DocsTest, TheListOfMetricsIsTheOneTheBinaryWrites) {
  const auto file = testing_support::scratch_dir() / "metrics.md";
  const auto made = run_child(
      {{"sh", "-c", std::string(places::binary) + " probes list --markdown > " + file.string()}},
      Deadline::in(std::chrono::seconds(30)));
  ASSERT_TRUE(made.ok()) << made.output;
  EXPECT_EQ(read_file(file), read_file(std::string(places::source_dir) + "/docs/metrics.md"))
      << "run: pantryd probes list --markdown > docs/metrics.md";
}

}  // namespace
}  // namespace pantryd
