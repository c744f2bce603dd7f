// Every command against every way in which a server can be out of reach: one line and a hint,
// within the time limit, with the exit code that scripts rely on, and never a password.
#include <gmock/gmock.h>

#include <thread>

#include "base/file.h"
#include "pg/connection.h"
#include "tests/support/black_hole.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"

namespace pantryd {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_support::BlackHole;
using testing_support::run_binary;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;

constexpr const char* kSecret = "hunter2-is-secret";
constexpr auto kLimit = std::chrono::seconds(45);

struct Fault {
  std::string name;
  pg::Conninfo where;
  std::string says;  ///< a part of the message
};

const std::vector<Fault>& faults() {
  static const BlackHole hole;
  static const auto good =
      shared_sandbox().primary().with("passfile", "").with("password", kSecret);
  static const std::vector<Fault> all{
      {"refused port", good.with("port", "1"), "refused"},
      {"black hole", good.with("port", std::to_string(hole.port())), "no answer within"},
      {"unknown host", good.with("host", "no-such-host.invalid"), "no-such-host.invalid"},
      {"wrong password", good, "password authentication failed"},
      {"missing role", good.with("user", "nobody_here"), "nobody_here"},
      {"missing database",
       shared_sandbox().primary().with("dbname", "nosuch").with("sslpassword", kSecret), "nosuch"},
  };
  return all;
}

const std::vector<std::vector<std::string>>& commands() {
  static const std::vector<std::vector<std::string>> all{
      {"metrics"},
      {"migrate", "status"},
      {"migrate", "up"},
      {"seed", "--products", "10", "--sales", "10"},
      {"load", "run", "--rate", "10", "--duration", "1s"},
      {"validate", "--budget", "20s"},
  };
  return all;
}

/// What the command writes on standard error.
ChildResult complaint_of(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"-c", "exec \"$0\" \"$@\" 2>&1 >/dev/null", places::binary});
  return run_binary("sh", arguments, kLimit);
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += word + " ";
  return out;
}

int lines_with(const std::string& text, const std::string& start) {
  int count = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    if (text.compare(at, start.size(), start) == 0) ++count;
    at = end + 1;
  }
  return count;
}

void expect_a_clear_refusal(const Fault& fault, std::vector<std::string> command) {
  SCOPED_TRACE(joined(command) + "/ " + fault.name);
  command.insert(command.end(), {"--dsn", fault.where.reveal(), "--log-level", "off"});
  const auto result = complaint_of(command);
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.exit_code, 8) << result.output;
  EXPECT_THAT(result.output, HasSubstr(fault.says));
  EXPECT_EQ(lines_with(result.output, "pantryd: "), 1) << result.output;
  EXPECT_EQ(lines_with(result.output, "HINT: "), 1) << result.output;
  EXPECT_THAT(result.output, Not(HasSubstr(kSecret)));
}

TEST(FailureTest, EveryCommandSaysWhyInOneLineAndAHintAndExitsWith8) {
  // Side by side, because most of it is waiting for time limits.
  (void)faults();  // made before the threads that read them
  std::vector<std::thread> threads;
  for (const auto& command : commands()) {
    threads.emplace_back([&command] {
      for (const auto& fault : faults()) expect_a_clear_refusal(fault, command);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(FailureTest, CheckIsCriticalWhenTheTargetIsDown) {
  for (const auto& fault : faults()) {
    SCOPED_TRACE(fault.name);
    const auto result =
        run_binary(places::binary, {"check", "--dsn", fault.where.reveal()}, kLimit);
    EXPECT_EQ(result.exit_code, 2) << result.output;
    EXPECT_THAT(result.output, HasSubstr("CRITICAL"));
    EXPECT_THAT(result.output, HasSubstr(fault.says));
    EXPECT_THAT(result.output, Not(HasSubstr(kSecret)));
  }
}

TEST(FailureTest, MetricsOfATargetThatIsDownStillSayThatItIsDown) {
  const auto result =
      run_binary(places::binary, {"metrics", "--dsn", faults()[0].where.reveal()}, kLimit);
  EXPECT_THAT(result.output, HasSubstr("pg_up{target=\"main\"} 0"));
}

TEST(FailureTest, AMalformedDsnIsAUsageErrorAndIsNotRepeated) {
  for (const auto& command : commands()) {
    auto words = command;
    words.insert(words.end(), {"--dsn", std::string("host=x password=") + kSecret + " junk"});
    const auto result = run_binary(places::binary, words, kLimit);
    EXPECT_EQ(result.exit_code, 2) << joined(command) << result.output;
    EXPECT_THAT(result.output, Not(HasSubstr(kSecret)));
  }
}

TEST(FailureTest, WithoutATargetTheCommandSaysHowToNameOne) {
  const auto result = run_binary(places::binary, {"migrate", "status"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.output, HasSubstr("--dsn"));
}

TEST(FailureTest, SeedAndLoadBeforeTheMigrationsSayWhatIsMissing) {
  const auto dsn = shared_sandbox().primary().reveal();
  const auto seed =
      run_binary(places::binary, {"seed", "--products", "10", "--sales", "10", "--dsn", dsn});
  EXPECT_EQ(seed.exit_code, 1) << seed.output;
  EXPECT_THAT(seed.output, HasSubstr("migrate up"));
  const auto load =
      run_binary(places::binary, {"load", "run", "--rate", "10", "--duration", "1s", "--dsn", dsn});
  EXPECT_EQ(load.exit_code, 1) << load.output;
  EXPECT_EQ(lines_with(load.output, "HINT: "), 1) << load.output;
}

TEST(FailureTest, TheLoadUsesThePoolOfTheConfigurationUnlessToldOtherwise) {
  const auto config = scratch_dir() / "pool.yaml";
  write_file_atomically(config,
                        "targets: [{name: main, dsn: \"postgresql://u@127.0.0.1:1/x\"}]\n"
                        "pool: {min: 2, max: 7, connect_timeout: 2s}\n");
  const std::vector<std::string> load{"load",   "run", "--config",   config.string(),
                                      "--rate", "1",   "--duration", "1s"};
  EXPECT_THAT(run_binary(places::binary, load).output, HasSubstr("limit 7"));
  auto with_option = load;
  with_option.insert(with_option.end(), {"--connections", "3"});
  EXPECT_THAT(run_binary(places::binary, with_option).output, HasSubstr("limit 3"));
}

TEST(FailureTest, AWriteCommandOnTheStandbyNamesThePrimary) {
  const auto dsn = shared_sandbox().standby().reveal();
  const auto result = run_binary(places::binary, {"migrate", "up", "--dsn", dsn});
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_THAT(result.output, HasSubstr("read-only standby"));
}

TEST(FailureTest, APortThatIsTakenIsNamedByServe) {
  const auto dsn = shared_sandbox().primary().reveal();
  const auto config = scratch_dir() / "taken.yaml";
  const auto text = "http: {listen: \"127.0.0.1:" + std::to_string(shared_sandbox().port()) +
                    "\"}\ntargets: [{name: a, dsn: \"" + dsn + "\"}]\n";
  FILE* file = std::fopen(config.c_str(), "w");
  std::fputs(text.c_str(), file);
  std::fclose(file);
  const auto result =
      run_binary(places::binary, {"serve", "--config", config.string(), "--log-level", "off"});
  EXPECT_EQ(result.exit_code, 1) << result.output;
  EXPECT_THAT(result.output, HasSubstr(std::to_string(shared_sandbox().port())));
}

}  // namespace
}  // namespace pantryd
