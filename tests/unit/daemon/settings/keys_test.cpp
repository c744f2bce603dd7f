// The table of keys: the documents that are generated from it, and the shapes that a key may have.
#include "settings/keys.h"

#include <gmock/gmock.h>

#include <regex>

#include "base/file.h"
#include "settings/make_row.h"
#include "settings/settings.h"
#include "tests/support/places.h"

namespace pantryd {

// Sections as later keys need them: labels, lists of sections, sections in sections.
struct TestDrill {
  Milliseconds every{7 * 86'400'000};
  std::int32_t rate = 3;

  friend bool operator==(const TestDrill&, const TestDrill&) = default;
};

struct TestItem {
  std::string name;
  LabelMap labels;
  std::optional<TestDrill> drill;

  friend bool operator==(const TestItem&, const TestItem&) = default;
};

struct TestSection {
  std::vector<TestItem> items;
  std::vector<std::string> databases{"*"};

  friend bool operator==(const TestSection&, const TestSection&) = default;
};

const std::vector<Row<TestDrill>>& rows_of(const TestDrill*) {
  using namespace std::chrono_literals;
  static const std::vector<Row<TestDrill>> rows{
      make_row("every", &TestDrill::every, keys::between(1min, 24h * 365).about("How often.")),
      make_row("rate", &TestDrill::rate, keys::between(1, 9).about("How fast."))};
  return rows;
}

const std::vector<Row<TestItem>>& rows_of(const TestItem*) {
  static const std::vector<Row<TestItem>> rows{
      make_row("name", &TestItem::name, keys::required("a").about("Its name.")),
      make_row("labels", &TestItem::labels, keys::example("{cluster: a}").about("Its labels.")),
      make_row("drill", &TestItem::drill, keys::about("Its drill."))};
  return rows;
}

const std::vector<Row<TestSection>>& rows_of(const TestSection*) {
  static const std::vector<Row<TestSection>> rows{
      make_row("items", &TestSection::items, keys::about("Items.").items("item")),
      make_row("databases", &TestSection::databases, keys::about("Databases."))};
  return rows;
}

namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

std::string committed(const std::string& file) {
  return read_file(std::string(places::source_dir) + "/" + file);
}

TEST(KeysTest, TheCommittedFileOfAllKeysIsTheOneThatTheTableMakes) {
  EXPECT_EQ(committed("config/pantryd.yaml"), settings_template())
      << "run: pantryd config show --template > config/pantryd.yaml";
}

TEST(KeysTest, TheCommittedReferenceIsTheOneThatTheTableMakes) {
  EXPECT_EQ(committed("docs/configuration.md"), settings_reference())
      << "run: pantryd config show --markdown > docs/configuration.md";
}

TEST(KeysTest, TheFileOfAllKeysSetsTheDefaults) {
  const auto settings = Settings::parse(settings_template(), "template");
  EXPECT_EQ(settings.http, HttpSettings());
  EXPECT_EQ(settings.probes, ProbeSettings());
  auto pool = PoolKeys();
  pool.configured = true;
  EXPECT_EQ(settings.pool, pool);
  EXPECT_EQ(settings.targets.at(0).databases, DatabaseSettings());
}

// A key in a comment is as good as none if it cannot be used as it is written there.
TEST(KeysTest, EveryKeyThatIsAnExampleInACommentIsValid) {
  const std::regex key("(^|\n)((?: |# )*?)# ( *(- )?[a-z_]+:( [^\n]*)?)(?=\n)");
  auto text = settings_template();
  for (int i = 0; i < 3; ++i) text = std::regex_replace(text, key, "$1$2$3");
  const auto settings = Settings::parse(text, "template");
  const auto& target = settings.targets.at(0);
  EXPECT_EQ(settings.probes.folder, "/etc/pantryd/probes");
  EXPECT_THAT(settings.probes.enable, ElementsAre(PlacedName("buffercache")));
  EXPECT_TRUE(target.pgbouncer.has_value());
  EXPECT_EQ(target.backups.at(0).kind.text, "pg_dump");
  EXPECT_EQ(target.disks.wal, "/srv/wal");
  EXPECT_EQ(target.pool.max, 20);
}

void expect_documented(const std::vector<KeyInfo>& keys, const std::string& reference) {
  for (const auto& key : keys) {
    EXPECT_THAT(key.help, EndsWith(".")) << key.name;
    EXPECT_FALSE(key.type.empty()) << key.name;
    const bool shown = key.required || !key.otherwise.empty() || !key.example.empty();
    EXPECT_TRUE(key.shape != KeyShape::value || shown) << key.name << " has no example";
    EXPECT_THAT(reference,
                HasSubstr(key.keys.empty() || !key.like.empty()
                              ? "| `" + key.name + "` |"
                              : key.name + (key.shape == KeyShape::list ? "[]\n" : "\n")));
    expect_documented(key.keys, reference);
  }
}

TEST(KeysTest, EveryKeyHasAMeaningAndARowInTheReference) {
  expect_documented(key_list(), settings_reference());
}

TestSection parse(const std::string& text) {
  std::vector<std::string> warnings;
  Reading reading{warnings, {}};
  return read_section<TestSection>(YamlValue::parse(text, "p.yaml"), reading);
}

std::string shown(const TestSection& section) {
  std::string out;
  for (const auto& line : write_rows(section, PoolKeys())) out += line + "\n";
  return out;
}

std::string refused(const std::string& text) {
  try {
    (void)parse(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(KeysTest, SectionsListsOfSectionsAndLabelsAreReadAndShown) {
  const std::string text =
      "items:\n"
      "  - name: \"a\"\n"
      "    labels: {\"cluster\": \"x: y\", \"zone\": \"\"}\n"
      "    drill:\n"
      "      every: 2d\n"
      "      rate: 3\n"
      "  - name: \"b\"\n"
      "databases: []\n";
  const auto section = parse(text);
  EXPECT_EQ(section.items.at(0).labels.at("cluster"), "x: y");
  EXPECT_EQ(section.items.at(0).drill->every, std::chrono::hours(48));
  EXPECT_FALSE(section.items.at(1).drill.has_value());
  EXPECT_TRUE(section.databases.empty());
  EXPECT_EQ(shown(section), text);
  EXPECT_EQ(shown(parse("{}")), "databases: [\"*\"]\n");
}

TEST(KeysTest, MistakesInNestedSectionsArePointedAt) {
  EXPECT_THAT(refused("items: [{name: a, drill: {rat: 2}}]"),
              StartsWith("p.yaml:1:27: unknown key \"rat\""));
  EXPECT_THAT(refused("items: [{name: a, drill: {rate: 10}}]"), HasSubstr("from 1 to 9"));
  EXPECT_THAT(refused("items: [{name: a, drill: {every: 1s}}]"),
              AllOf(StartsWith("p.yaml:1:34: "), HasSubstr("every must be from 60s to 365d")));
  EXPECT_THAT(refused("items: [{labels: {a: b}}]"), HasSubstr("\"name\" is missing"));
  EXPECT_THAT(refused("items: [{name: a}, {name: a}]"), HasSubstr("two items are called \"a\""));
  EXPECT_THAT(refused("items: [{name: a, labels: {a: b, a: c}}]"),
              HasSubstr("\"a\" appears twice"));
  EXPECT_THAT(refused("items: [{name: a, labels: [b]}]"), StartsWith("p.yaml:1:27: "));
  EXPECT_THAT(refused("items: [{name: }]"), HasSubstr("\"name\" must be a single value"));
}

}  // namespace
}  // namespace pantryd
