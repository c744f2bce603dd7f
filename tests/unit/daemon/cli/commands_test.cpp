// What must be true of every subcommand: its row, its help and its examples; and how a name that
// does not exist is answered.
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "base/error.h"
#include "cli/command.h"
#include "cli/help.h"

namespace pantryd::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

using Words = std::vector<std::string>;

Words words_of(std::string_view line) {
  std::istringstream in{std::string(line)};
  Words out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::size_t widest_line(const std::string& text) {
  std::istringstream in(text);
  std::size_t out = 0;
  for (std::string line; std::getline(in, line);) out = std::max(out, line.size());
  return out;
}

std::string refusal(const Words& words) {
  try {
    std::size_t used = 0;
    (void)find_command(words, used);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return std::string(error.what()) + " | " + error.hint();
  }
  return "found";
}

TEST(CommandsTest, NamesAreSortedAndThereIsOneOfEach) {
  const auto all = commands();
  ASSERT_GT(all.size(), 20U);
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i - 1].name, all[i].name);
}

TEST(CommandsTest, EveryRowIsWhole) {
  for (const auto& command : commands()) {
    SCOPED_TRACE(command.name);
    EXPECT_FALSE(command.summary.empty());
    EXPECT_LE(command.summary.size(), 80U - 24U) << "one line of the list";
    EXPECT_THAT(std::string(command.summary), Not(EndsWith(".")));
    EXPECT_FALSE(command.examples.empty());
    EXPECT_NE(command.run, nullptr);
    for (const auto& option : concat({global_options(), command.options})) {
      EXPECT_FALSE(option.help.empty()) << option.name;
      EXPECT_THAT(std::string(option.help), Not(EndsWith("."))) << option.name;
    }
  }
}

TEST(CommandsTest, EveryDefaultIsAValueThatTheOptionAccepts) {
  for (const auto& command : commands()) {
    for (auto option : command.options) {
      option.required = false;
      EXPECT_NO_THROW((void)parse({option}, {}, "")) << command.name << " --" << option.name;
    }
  }
}

TEST(CommandsTest, NoCommandHasAnOptionThatIsGlobal) {
  for (const auto& command : commands()) {
    for (const auto& option : command.options) {
      for (const auto& global : global_options()) EXPECT_NE(option.name, global.name);
      EXPECT_NE(option.name, "help");
    }
  }
}

TEST(CommandsTest, EveryExampleIsACommandLineOfItsCommand) {
  for (const auto& command : commands()) {
    for (const auto example : command.examples) {
      SCOPED_TRACE(example);
      auto words = words_of(example);
      ASSERT_EQ(words.front(), "pantryd");
      words.erase(words.begin());
      std::size_t used = 0;
      EXPECT_EQ(find_command(words, used).name, command.name);
      words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(used));
      EXPECT_NO_THROW((void)parse(concat({global_options(), command.options}), words, ""));
    }
  }
}

TEST(CommandsTest, EveryHelpHasAnExampleAndExitCodesAndFits80Columns) {
  for (const auto& command : commands()) {
    SCOPED_TRACE(command.name);
    const auto help = command_help(command);
    EXPECT_THAT(help, StartsWith("Usage: pantryd " + std::string(command.name)));
    EXPECT_THAT(help, HasSubstr("\nExample"));
    EXPECT_THAT(help, HasSubstr("\nExit codes:\n  0  "));
    EXPECT_LE(widest_line(help), 80U) << help;
    for (const auto& option : command.options) {
      EXPECT_THAT(help, HasSubstr(std::string(option.value))) << option.name;
    }
  }
  EXPECT_LE(widest_line(overview()), 80U) << overview();
}

TEST(CommandsTest, TheOverviewListsEveryCommandAndExitCode) {
  const auto help = overview();
  for (const auto& command : commands()) {
    EXPECT_THAT(help, HasSubstr("\n  " + std::string(command.name) + " "));
  }
  for (int code = 0; code <= static_cast<int>(ExitCode::unwritten); ++code) {
    EXPECT_THAT(help, HasSubstr("\n  " + std::to_string(code) + "  "));
  }
}

TEST(CommandsTest, AGroupListsItsCommandsAndNoOthers) {
  const auto help = group_help("migrate");
  EXPECT_THAT(help, HasSubstr("migrate up"));
  EXPECT_THAT(help, HasSubstr("migrate lint"));
  EXPECT_THAT(help, Not(HasSubstr("load run")));
  EXPECT_LE(widest_line(help), 80U);
  EXPECT_EQ(group_help("seed"), "") << "a command, and no group";
  EXPECT_EQ(group_help("mig"), "");
}

TEST(CommandsTest, HelpIsOnTheCommandThatIsNamed) {
  EXPECT_EQ(help_on({}), overview());
  EXPECT_EQ(help_on({"load"}), group_help("load"));
  EXPECT_THAT(help_on({"load", "run"}), StartsWith("Usage: pantryd load run "));
  EXPECT_THAT(help_on({"seed"}), StartsWith("Usage: pantryd seed "));
}

TEST(CommandsTest, AMisspeltCommandGetsTheNearestOne) {
  EXPECT_EQ(refusal({"sead"}), "no command \"sead\" | Did you mean seed?");
  EXPECT_EQ(refusal({"migrate", "stats"}),
            "no command \"migrate stats\" | Did you mean migrate status?");
  EXPECT_EQ(refusal({"migrte", "up"}), "no command \"migrte\" | Did you mean migrate up?");
  EXPECT_EQ(refusal({"lod"}), "no command \"lod\" | Did you mean load?");
  EXPECT_EQ(refusal({"xylophone"}), "no command \"xylophone\" | pantryd help lists the commands.");
  EXPECT_EQ(refusal({"seed"}), "found");
}

TEST(CommandsTest, AGroupAloneNeedsASubcommand) {
  EXPECT_EQ(refusal({"load"}), "load needs a subcommand | Choose one of: compare, find-max, run.");
  EXPECT_EQ(refusal({"load", "--rate"}),
            "load needs a subcommand | Choose one of: compare, find-max, run.");
  EXPECT_EQ(refusal({"load", "xylophone"}),
            "no command \"load xylophone\" | Choose one of: compare, find-max, run.");
}

}  // namespace
}  // namespace pantryd::cli
