// The main of every test executable. A suite is one executable of many files; `--file NAME` runs
// the tests of one of them, so that each file can be a process with a sandbox of its own. NAME is
// the end of its path without ".cpp", such as pool_test or integration/daemon/pool/pool_test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

namespace {

/// A filter that matches the tests of `name` and no other; empty if it has none.
std::string filter_of(const std::string& name) {
  std::string filter;
  const auto& all = *testing::UnitTest::GetInstance();
  for (int s = 0; s < all.total_test_suite_count(); ++s) {
    const auto& suite = *all.GetTestSuite(s);
    for (int t = 0; t < suite.total_test_count(); ++t) {
      const auto& test = *suite.GetTestInfo(t);
      if (!std::string_view(test.file()).ends_with("/" + name + ".cpp")) continue;
      if (!filter.empty()) filter += ':';
      filter.append(suite.name()).append(1, '.').append(test.name());
    }
  }
  return filter;
}

/// Linux shares processors among sessions first (sched(7), autogroup). In one session with the
/// tests beside it, a load generator waits for what those take. Away from a terminal only, whose
/// signals go to a session; the end of ctest ends us in another way.
void begin_session() {
  if (::isatty(STDIN_FILENO) != 0 || ::setsid() < 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);
  if (argc == 1) return RUN_ALL_TESTS();
  if (argc != 3 || std::string_view(argv[1]) != "--file") {
    std::fprintf(stderr, "usage: %s [--file NAME] [--gtest_...]\n", argv[0]);
    return 2;
  }
  const auto filter = filter_of(argv[2]);
  if (filter.empty()) {
    std::fprintf(stderr, "%s: no test comes from a file %s.cpp\n", argv[0], argv[2]);
    return 2;
  }
  if (testing::GTEST_FLAG(filter) != "*") {
    std::fprintf(stderr, "%s: --file conflicts with --gtest_filter\n", argv[0]);
    return 2;
  }
  testing::GTEST_FLAG(filter) = filter;
  begin_session();
  return RUN_ALL_TESTS();
}
