// Every trap that a backup folder was seen to set for those who watch it, made by hand.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "probes/backup/backup_probe.h"

namespace pantryd {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* kPlainHead = "--\n-- PostgreSQL database dump\n--\n\n";
constexpr const char* kPlainEnd = "--\n-- PostgreSQL database dump complete\n--\n\n";
constexpr const char* kClusterHead = "--\n-- PostgreSQL database cluster dump\n--\n\n";
constexpr const char* kClusterEnd = "--\n-- PostgreSQL database cluster dump complete\n--\n\n";

std::string plain_dump(std::size_t rows = 1000) {
  std::string text = kPlainHead;
  text += "\\restrict k3y\n\nCOPY public.sales (id) FROM stdin;\n";
  for (std::size_t row = 0; row < rows; ++row) text += std::to_string(row) + "\n";
  return text + "\\.\n\n\n" + kPlainEnd;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

/// A pg_dump archive byte by byte, as pg_backup_archiver.c writes it.
struct ArchiveMaker {
  int minor = 14;
  int format = 1;
  WallClock::time_point created = WallClock::now() - hours(3);
  int offset_flag = 2;
  std::size_t blocks_written = 2;
  bool large_objects_last = false;
  std::vector<std::string> files{"3346.dat", "3347.dat"};

  static std::string integer(std::int64_t value) {
    std::string out(1, value < 0 ? '\1' : '\0');
    auto rest = static_cast<std::uint64_t>(value < 0 ? -value : value);
    for (int digit = 0; digit < 4; ++digit, rest >>= 8U) out += static_cast<char>(rest & 0xffU);
    return out;
  }
  static std::string text(const std::string& value) {
    return integer(static_cast<int>(value.size())) + value;
  }
  static std::string null() { return integer(-1); }

  [[nodiscard]] std::string head() const {
    std::string out = "PGDMP";
    for (const int each : {1, minor, 0, 4, 8, format}) out += static_cast<char>(each);
    out += minor >= 15 ? std::string(1, '\1') : integer(-1);
    const std::time_t when = WallClock::to_time_t(created);
    std::tm local{};
    localtime_r(&when, &local);
    for (const int each : {local.tm_sec, local.tm_min, local.tm_hour, local.tm_mday, local.tm_mon,
                           local.tm_year, local.tm_isdst}) {
      out += integer(each);
    }
    return out + text("zion_grocery_db") + text("17.2") + text("17.2");
  }
  [[nodiscard]] std::string entry(int id, bool data, std::uint64_t offset) const {
    std::string out =
        integer(id) + integer(data ? 1 : 0) + text("1259") + text("16384") + text("sales") +
        text(data ? "TABLE DATA" : "TABLE") + integer(3) + text("CREATE TABLE ...") + text("") +
        (data ? text("COPY public.sales FROM stdin;\n") : null()) + text("public") + text("");
    if (minor >= 14) out += text("heap");
    if (minor >= 16) out += integer('r');
    out += text("owner") + text("false") + (data ? text("12") : "") + null();
    if (format != 1) return out + text(data ? files[static_cast<std::size_t>(id - 1)] : "");
    out += static_cast<char>(data ? offset_flag : 3);
    for (int digit = 0; digit < 8; ++digit, offset >>= 8U) out += static_cast<char>(offset & 0xffU);
    return out;
  }
  [[nodiscard]] static std::string block(int id) {
    const std::string data(3000, 'd');
    return std::string(1, '\1') + integer(id) + text(data) + text(data) + integer(0);
  }
  [[nodiscard]] static std::string large_objects(int id) {
    return std::string(1, '\3') + integer(id) + integer(16397) + text("hello") + integer(0) +
           integer(0);
  }
  [[nodiscard]] std::string toc(std::uint64_t first, std::uint64_t second) const {
    return head() + integer(3) + entry(7, false, 0) + entry(1, true, first) +
           entry(2, true, second);
  }
  [[nodiscard]] std::string make() const {
    const auto begin = toc(0, 0).size();
    std::string out = toc(begin, begin + block(1).size());
    if (format != 1) return out;
    for (std::size_t id = 1; id <= blocks_written; ++id) {
      out += id == 2 && large_objects_last ? large_objects(2) : block(static_cast<int>(id));
    }
    return out;
  }
};

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("pantryd-backup-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    source_.name = "dumps";
    source_.path = folder_.string();
    source_.kind = find_backup_kind("pg_dump");
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// Writes a file whose last modification was `age` ago.
  void put(const std::string& name, const std::string& content, milliseconds age = hours(2)) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary | std::ios::trunc) << content;
    set_age(name, age);
  }
  void set_age(const std::string& name, milliseconds age) {
    const auto when =
        std::chrono::duration_cast<std::chrono::nanoseconds>((now_ - age).time_since_epoch())
            .count();
    const timespec times[2] = {{when / 1'000'000'000, when % 1'000'000'000},
                               {when / 1'000'000'000, when % 1'000'000'000}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (folder_ / name).c_str(), times, 0), 0);
  }
  BackupLook look() { return look_at(source_, Deadline::in(seconds(20)), now_); }
  /// The one record of the folder.
  BackupRecord only() {
    const auto found = look();
    EXPECT_TRUE(found.readable) << found.reason;
    EXPECT_EQ(found.records.size(), 1U);
    return found.records.empty() ? BackupRecord{} : found.records.front();
  }
  double sample(const BackupLook& found, const std::string& name) {
    for (const auto& each : backup_samples(source_, found, now_)) {
      if (each.metric->name == "pantryd_backup_" + name) return each.value;
    }
    return -1;
  }
  BackupVerdict verdict() { return judge_backup(source_, look(), now_); }

  fs::path folder_;
  BackupSource source_;
  WallClock::time_point now_ = WallClock::now();
};

// --- the kinds --------------------------------------------------------------------------------

/// A kind that is not in the table, whose reader finds one good backup.
class FoundReader : public backup::Reader {
 public:
  BackupLook look(const std::string&, Deadline, WallClock::time_point now) override {
    BackupLook out;
    out.readable = true;
    BackupRecord record;
    record.name = "full-1";
    record.state = BackupState::complete_unverified;
    record.recovery_point = now - hours(1);
    out.records.push_back(record);
    return out;
  }
};

const BackupKind kThirdKind{"third", "one backup that is always good",
                            [](const backup::ReaderOptions&) -> std::unique_ptr<backup::Reader> {
                              return std::make_unique<FoundReader>();
                            }};

// A third kind was once read as a folder of dumps or of base backups, and called by their names.
TEST_F(BackupTest, AThirdKindIsReadByItsOwnReaderAndKeepsItsOwnName) {
  source_.kind = &kThirdKind;
  const auto record = only();
  EXPECT_EQ(record.name, "full-1");
  EXPECT_EQ(record.kind, "third");
  EXPECT_TRUE(verdict().ok);
  for (const auto& each : backup_samples(source_, look(), now_)) {
    EXPECT_THAT(each.labels,
                testing::Contains(std::pair<std::string, std::string>("kind", "third")))
        << each.metric->name;
  }
  source_.kind = find_backup_kind("pg_dump");
  EXPECT_EQ(look().newest_state(), BackupState::none) << "the folder itself is empty";
}

TEST_F(BackupTest, EveryKindHasANameAndAReaderOfItsOwn) {
  EXPECT_EQ(backup_kind_names().size(), backup_kinds().size());
  for (const auto& kind : backup_kinds()) {
    EXPECT_EQ(find_backup_kind(kind.name), &kind);
    EXPECT_FALSE(kind.summary.empty()) << kind.name;
    source_.kind = &kind;
    EXPECT_TRUE(look().readable) << kind.name;
  }
  EXPECT_EQ(find_backup_kind("pg_dmp"), nullptr);
}

// --- the folder -------------------------------------------------------------------------------

TEST_F(BackupTest, AnEmptyFolderAndAnUnreadableOneAreDifferentAndNeitherHasAnAge) {
  const auto empty = look();
  EXPECT_TRUE(empty.readable);
  EXPECT_EQ(empty.newest_state(), BackupState::none);
  EXPECT_EQ(sample(empty, "readable"), 1);
  EXPECT_EQ(sample(empty, "count"), 0);
  EXPECT_EQ(sample(empty, "age_seconds"), -1) << "absent";
  EXPECT_FALSE(verdict().ok);
  EXPECT_THAT(verdict().evidence, HasSubstr("no backup in"));

  put("file", "x");
  for (const auto& path : {folder_ / "file" / "below", folder_ / "file", folder_ / "nowhere"}) {
    source_.path = path.string();
    const auto unreadable = look();
    EXPECT_FALSE(unreadable.readable) << path;
    EXPECT_FALSE(unreadable.reason.empty());
    EXPECT_EQ(sample(unreadable, "readable"), 0);
    EXPECT_EQ(sample(unreadable, "age_seconds"), -1);
    EXPECT_EQ(sample(unreadable, "count"), -1);
    EXPECT_EQ(sample(unreadable, "age_limit_seconds"), 26 * 3600);
    EXPECT_FALSE(verdict().ok);
    EXPECT_THAT(verdict().evidence, HasSubstr("cannot be read"));
  }
}

TEST_F(BackupTest, NamesOfUnfinishedAndCompanionFilesNeverCount) {
  for (const char* name : {"a.sql.tmp", "b.sql.partial", ".lock", "backup.lock", ".hidden.sql"}) {
    put(name, plain_dump());
  }
  put("backup.log", "pg_dump: dumping\n");
  put("daily.sql.sha256", "abc  daily.sql\n");
  put("README.md", "");
  fs::create_directory(folder_ / "notes");
  put("notes/a.txt", "no dump");
  fs::create_symlink("/etc/passwd", folder_ / "link.sql");
  ASSERT_EQ(::mkfifo((folder_ / "pipe.sql").c_str(), 0600), 0);
  EXPECT_THAT(look().records, testing::IsEmpty());
}

TEST_F(BackupTest, ADeadlineThatIsOverIsSaid) {
  put("a.sql", plain_dump());
  const auto found = look_at(source_, Deadline::in({}), now_);
  EXPECT_FALSE(found.readable && found.reason.empty());
}

// --- plain text -------------------------------------------------------------------------------

TEST_F(BackupTest, APlainDumpIsAsOldAsItsFile) {
  put("daily_backup_2026-11-22.sql", plain_dump(), hours(5));
  const auto found = look();
  const auto* good = found.newest_good();
  ASSERT_NE(good, nullptr);
  EXPECT_EQ(good->format, "plain");
  EXPECT_EQ(good->time_source, TimeSource::file_time);
  EXPECT_NEAR(sample(found, "age_seconds"), 5 * 3600, 2);
  EXPECT_EQ(sample(found, "count"), 1);
  EXPECT_EQ(sample(found, "newest_failed"), 0);
  EXPECT_EQ(sample(found, "size_bytes"), static_cast<double>(plain_dump().size()));
  EXPECT_TRUE(verdict().ok);
  EXPECT_THAT(verdict().evidence, HasSubstr("by file_time, 5h old, limit 1d 2h"));
}

// Minors since August 2025 write \unrestrict behind the trailer: "the last line equals" fails.
TEST_F(BackupTest, TheUnrestrictLineMayFollowTheTrailer) {
  put("a.sql", plain_dump() + "\\unrestrict YQNpGiLPAi2hohE6hs4fTykjsRszWjlaDA590nQEitMFJvE4\n\n");
  EXPECT_EQ(only().state, BackupState::complete_unverified);
}

TEST_F(BackupTest, APlainDumpCutAnywhereBeforeItsTrailerIsPartial) {
  const auto whole = plain_dump();
  for (const auto length : {whole.size() / 2, whole.size() - 6, std::size_t{40}}) {
    put("a.sql", whole.substr(0, length));
    EXPECT_EQ(only().state, BackupState::partial) << length;
  }
  EXPECT_FALSE(verdict().ok);
  EXPECT_THAT(verdict().evidence, HasSubstr("ends before \"database dump complete\""));
}

TEST_F(BackupTest, ADumpWithCarriageReturnsIsRead) {
  std::string text;
  for (const char each : plain_dump())
    text += each == '\n' ? std::string("\r\n") : std::string(1, each);
  put("a.sql", text);
  EXPECT_EQ(only().state, BackupState::complete_unverified);
}

// pg_dumpall holds one "database dump complete" a database: only "cluster" closes it.
TEST_F(BackupTest, APgDumpallThatWasCutAfterOneDatabaseIsPartial) {
  const auto one = std::string(kClusterHead) + plain_dump();
  put("all.sql", one);
  EXPECT_EQ(only().state, BackupState::partial);
  EXPECT_EQ(only().format, "cluster");
  put("all.sql", one + plain_dump() + kClusterEnd);
  EXPECT_EQ(only().state, BackupState::complete_unverified);
}

TEST_F(BackupTest, ASecondDumpThatWasAppendedAndCutIsPartial) {
  put("a.sql", plain_dump() + kPlainHead + "COPY x FROM stdin;\n");
  EXPECT_EQ(only().state, BackupState::partial);
}

TEST_F(BackupTest, AnEmptyFileAndAnErrorMessageAreFailedAttempts) {
  put("daily_backup_2026-11-21.sql", plain_dump(), hours(20));
  for (const char* content : {"", "pg_dump: error: connection to server failed\n"}) {
    put("daily_backup_2026-11-22.sql", content, hours(1));
    const auto found = look();
    ASSERT_EQ(found.records.size(), 2U);
    EXPECT_EQ(found.records.front().state, BackupState::failed);
    EXPECT_TRUE(found.newest_attempt_failed());
    EXPECT_EQ(sample(found, "newest_failed"), 1);
    EXPECT_NEAR(sample(found, "age_seconds"), 20 * 3600, 2) << "the age stays the good one's";
    EXPECT_FALSE(verdict().ok) << "fresh enough, but the newest attempt failed";
  }
  put("backup_20261122.sql", plain_dump(), minutes(10));
  EXPECT_TRUE(verdict().ok) << "a later success makes up for it: " << verdict().evidence;
}

TEST_F(BackupTest, ABackupOverTheLimitIsNotOk) {
  put("a.sql", plain_dump(), hours(27));
  EXPECT_FALSE(verdict().ok);
  source_.age_limit_ms = hours(28);
  EXPECT_TRUE(verdict().ok);
}

// --- clocks -----------------------------------------------------------------------------------

TEST_F(BackupTest, ATimeInTheFutureIsSkewAndNeverFresh) {
  put("a.sql", plain_dump(), -hours(1));
  EXPECT_EQ(only().state, BackupState::unknown);
  EXPECT_THAT(only().reason, HasSubstr("in the future"));
  EXPECT_EQ(sample(look(), "last_success_timestamp_seconds"), -1);
  EXPECT_FALSE(verdict().ok);
  put("a.sql", plain_dump(), -seconds(30));
  EXPECT_EQ(only().state, BackupState::complete_unverified) << "a second or so happens";
  EXPECT_EQ(sample(look(), "age_seconds"), 0);
}

TEST_F(BackupTest, ASidecarTellsWhenTheDumpBegan) {
  put("a.sql", plain_dump(), hours(1));
  const auto start = WallClock::to_time_t(now_ - hours(4));
  put("a.sql.pantryd.json", "{\"start_epoch\": " + std::to_string(start) + "}");
  EXPECT_EQ(only().recovery_point, WallClock::from_time_t(start));
  EXPECT_EQ(only().time_source, TimeSource::content);
  put("a.sql.pantryd.json", "{\"start_epoch\": " + std::to_string(start + 86'400) + "}");
  EXPECT_EQ(only().time_source, TimeSource::file_time) << "it cannot begin after its last byte";
  put("a.sql.pantryd.json", "{ broken");
  EXPECT_EQ(only().state, BackupState::complete_unverified);
}

TEST_F(BackupTest, ASidecarsSizeStandsInForAFormatThatIsNotRead) {
  put("a.sql.zst", std::string("\x28\xb5\x2f\xfd", 4) + std::string(96, 'z'), hours(1));
  EXPECT_EQ(only().state, BackupState::unknown);
  EXPECT_FALSE(look().newest_attempt_failed()) << "not known to have failed";
  EXPECT_FALSE(verdict().ok) << "and not good";
  put("a.sql.zst.pantryd.json", R"({"size_bytes": 100})");
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  put("a.sql.zst.pantryd.json", R"({"size_bytes": 101})");
  EXPECT_EQ(only().state, BackupState::partial);
}

// --- gzip -------------------------------------------------------------------------------------

TEST_F(BackupTest, AGzipIsReadThroughToItsTrailer) {
  put("a.sql.gz", gzip(plain_dump(200'000)));
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  EXPECT_EQ(only().format, "plain.gz");
  const auto members = gzip(plain_dump().substr(0, 900)) + gzip(plain_dump().substr(900));
  put("a.sql.gz", members + std::string(512, '\0'));
  EXPECT_EQ(only().state, BackupState::complete_unverified) << "two members and tape padding";
}

TEST_F(BackupTest, AGzipThatIsCutIsPartial) {
  const auto whole = gzip(plain_dump(200'000));
  for (const auto length : {whole.size() / 2, whole.size() - 1, std::size_t{12}}) {
    put("a.sql.gz", whole.substr(0, length));
    EXPECT_EQ(only().state, BackupState::partial) << length;
  }
}

TEST_F(BackupTest, AFlippedByteInAGzipIsFound) {
  auto damaged = gzip(plain_dump(200'000));
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x10);
  put("a.sql.gz", damaged);
  EXPECT_EQ(only().state, BackupState::failed);
}

// `pg_dump nosuchdb | gzip > f.gz` exits 0 and leaves a valid gzip of 20 bytes.
TEST_F(BackupTest, AValidGzipOfNothingIsFailed) {
  ASSERT_EQ(gzip("").size(), 20U);
  put("a.sql.gz", gzip(""));
  EXPECT_EQ(only().state, BackupState::failed);
  EXPECT_THAT(only().reason, HasSubstr("empty gzip"));
}

TEST_F(BackupTest, AWholeGzipOfACutDumpIsPartial) {
  put("a.sql.gz", gzip(plain_dump().substr(0, 2000)));
  EXPECT_EQ(only().state, BackupState::partial);
  ArchiveMaker maker;
  maker.offset_flag = 1;
  put("a.sql.gz", gzip(maker.make()));
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  EXPECT_EQ(only().format, "custom.gz");
  const auto archive = maker.make();
  put("a.sql.gz", gzip(archive.substr(0, archive.size() - 1)));
  EXPECT_EQ(only().state, BackupState::partial);
}

TEST_F(BackupTest, WhatDoesNotFitTheReadBudgetIsReadOnAtTheNextLook) {
  const auto large = gzip(plain_dump(500'000));
  ASSERT_GT(large.size(), 3U << 18U);
  put("a.sql.gz", large);
  source_.reader.read_budget_bytes = 1 << 18;
  BackupProbe probe(source_);
  int looks = 0;
  BackupLook found;
  do {
    found = probe.look(Deadline::in(seconds(20)), now_);
    ++looks;
    ASSERT_EQ(found.records.size(), 1U);
    EXPECT_FALSE(found.newest_attempt_failed());
  } while (found.newest_good() == nullptr && looks < 50);
  EXPECT_GT(looks, 2);
  EXPECT_NE(found.newest_good(), nullptr);
}

// --- custom format ----------------------------------------------------------------------------

class ArchiveVersionTest : public BackupTest, public testing::WithParamInterface<int> {};

TEST_P(ArchiveVersionTest, TheRecoveryPointIsTheStartInTheHeaderNotTheFileTime) {
  ArchiveMaker maker;
  maker.minor = GetParam();
  put("weekly_backup_2026-11-22.dump", maker.make(), hours(1));
  const auto record = only();
  EXPECT_EQ(record.state, BackupState::complete_unverified) << record.reason;
  EXPECT_EQ(record.format, "custom");
  EXPECT_EQ(record.time_source, TimeSource::content);
  EXPECT_LT(record.recovery_point - maker.created, seconds(2));
  EXPECT_GT(record.recovery_point - maker.created, -seconds(2));
}

TEST_P(ArchiveVersionTest, ACutArchiveIsNeverGood) {
  ArchiveMaker maker;
  maker.minor = GetParam();
  const auto whole = maker.make();
  for (std::size_t length = 1; length < whole.size(); length += length < 300 ? 7 : 97) {
    put("a.dump", whole.substr(0, length));
    EXPECT_FALSE(only().good()) << length;
  }
  put("a.dump", whole.substr(0, whole.size() - 1));
  EXPECT_EQ(only().state, BackupState::failed) << "pg_restore --list is content with this one";
}

INSTANTIATE_TEST_SUITE_P(AllMajors, ArchiveVersionTest, testing::Values(12, 14, 15, 16));

// A killed dump lists fine in pg_restore, and so does one that went through a pipe: both have no
// offsets. Only reading them through tells one from the other.
TEST_F(BackupTest, APipedArchiveIsGoodAndAKilledOneIsPartial) {
  ArchiveMaker maker;
  maker.offset_flag = 1;
  put("a.dump", maker.make());
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  for (const std::size_t blocks : {0U, 1U}) {
    maker.blocks_written = blocks;
    put("a.dump", maker.make());
    EXPECT_EQ(only().state, BackupState::partial) << blocks;
  }
  maker.blocks_written = 2;
  put("a.dump", maker.make().substr(0, maker.make().size() - 2000));
  EXPECT_EQ(only().state, BackupState::partial);
}

// The block of large objects ends in so many zeros that "ends in zeros" does not see a byte go.
TEST_F(BackupTest, AnArchiveThatEndsInLargeObjectsIsCutByOneByteToo) {
  ArchiveMaker maker;
  maker.large_objects_last = true;
  const auto whole = maker.make();
  for (const std::int64_t budget : {std::int64_t{1} << 20, std::int64_t{0}}) {
    source_.reader.read_budget_bytes = budget;
    put("a.dump", whole);
    EXPECT_EQ(only().state, BackupState::complete_unverified);
    for (std::size_t lost = 1; lost <= 12; ++lost) {
      put("a.dump", whole.substr(0, whole.size() - lost));
      EXPECT_EQ(only().state, BackupState::failed) << lost << " bytes lost, budget " << budget;
    }
  }
}

TEST_F(BackupTest, ABlockThatIsNotOneIsFailed) {
  auto archive = ArchiveMaker{}.make();
  archive[archive.size() - 2 * ArchiveMaker::block(2).size()] = 'x';
  put("a.dump", archive);
  EXPECT_EQ(only().state, BackupState::failed);
}

// Such a file ends in the zeros that a whole one ends in.
TEST_F(BackupTest, AnArchiveThatIsCutBetweenTwoBlocksIsFailed) {
  const auto whole = ArchiveMaker{}.make();
  for (const std::int64_t budget : {std::int64_t{1} << 20, std::int64_t{0}}) {
    source_.reader.read_budget_bytes = budget;
    put("a.dump", whole.substr(0, whole.size() - ArchiveMaker::block(2).size()));
    EXPECT_EQ(only().state, BackupState::failed);
    EXPECT_THAT(only().reason, HasSubstr("data begins at byte"));
  }
}

TEST_F(BackupTest, AnArchiveWithoutTablesIsCompleteAndSaysSo) {
  ArchiveMaker maker;
  auto archive = maker.head() + ArchiveMaker::integer(1) + maker.entry(7, false, 0);
  put("schema.dump", archive);
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  EXPECT_EQ(only().reason, "it holds no table data");
  put("schema.dump", archive + "x");
  EXPECT_EQ(only().state, BackupState::failed);
}

TEST_F(BackupTest, AnArchiveOfAMajorThatIsNotKnownIsUnknown) {
  ArchiveMaker maker;
  maker.minor = 17;
  put("a.dump", maker.make());
  EXPECT_EQ(only().state, BackupState::unknown);
}

TEST_F(BackupTest, AStartAfterTheLastWriteIsAnotherZoneAndTheFileTimeCounts) {
  ArchiveMaker maker;
  maker.created = now_ + hours(7);
  put("a.dump", maker.make(), hours(2));
  EXPECT_EQ(only().time_source, TimeSource::file_time);
  EXPECT_TRUE(only().good());
  EXPECT_NEAR(sample(look(), "age_seconds"), 2 * 3600, 2);
}

// cp without -p, or touch: the file is of today, what is in it is not.
TEST_F(BackupTest, AnOldArchiveThatWasTouchedStaysOld) {
  ArchiveMaker maker;
  maker.created = now_ - hours(24 * 9);
  put("a.dump", maker.make(), minutes(1));
  EXPECT_NEAR(sample(look(), "age_seconds"), 9 * 86'400, 3700);
  EXPECT_FALSE(verdict().ok);
}

TEST_F(BackupTest, ATarDumpNeedsItsClosingBlocks) {
  ArchiveMaker maker;
  maker.format = 3;
  auto toc = maker.make();
  std::string tar = "toc.dat";
  tar.resize(512, '\0');
  toc.resize((toc.size() + 511) / 512 * 512, '\0');
  tar += toc + std::string(512, 'd');
  put("a.tar", tar);
  EXPECT_EQ(only().state, BackupState::partial);
  put("a.tar", tar + std::string(1024, '\0'));
  EXPECT_EQ(only().state, BackupState::complete_unverified);
}

// --- directory format -------------------------------------------------------------------------

class DumpDirectoryTest : public BackupTest {
 protected:
  void make(const std::string& second = "2\n\\.\n\n\n") {
    ArchiveMaker maker;
    maker.format = 3;
    put("dir_1/toc.dat", maker.make());
    put("dir_1/3346.dat.gz", gzip("1\n\\.\n\n\n"));
    put("dir_1/3347.dat", second);
  }
};

TEST_F(DumpDirectoryTest, IsGoodWithEveryFileThatItsTocNames) {
  make();
  EXPECT_EQ(only().state, BackupState::complete_unverified) << only().reason;
  EXPECT_EQ(only().format, "directory");
  EXPECT_EQ(only().time_source, TimeSource::content);
  source_.path = (folder_ / "dir_1").string();
  EXPECT_EQ(only().name, "dir_1") << "the path may be the backup itself";
}

TEST_F(DumpDirectoryTest, AMissingFileIsPartial) {
  make();
  fs::remove(folder_ / "dir_1/3347.dat");
  EXPECT_EQ(only().state, BackupState::partial);
  EXPECT_THAT(only().reason, HasSubstr("1 of 2 data files are missing, first 3347.dat"));
}

TEST_F(DumpDirectoryTest, ACutTableIsPartial) {
  make("2\n3");
  EXPECT_EQ(only().state, BackupState::partial);
  make();
  put("dir_1/3346.dat.gz", gzip("1\n\\.\n\n\n").substr(0, 20));
  EXPECT_EQ(only().state, BackupState::partial);
  put("dir_1/3346.dat.gz", "");
  EXPECT_EQ(only().state, BackupState::partial);
}

TEST_F(DumpDirectoryTest, ACutTocIsFailedAndAnEmptyDatedFolderIsPartial) {
  make();
  fs::resize_file(folder_ / "dir_1/toc.dat", 100);
  set_age("dir_1/toc.dat", hours(1));
  EXPECT_EQ(only().state, BackupState::failed);
  fs::remove_all(folder_ / "dir_1");
  fs::create_directory(folder_ / "dump_2026-11-22");
  set_age("dump_2026-11-22", hours(1));
  EXPECT_EQ(only().state, BackupState::partial);
}

// --- while it is being written ----------------------------------------------------------------

TEST_F(BackupTest, AFileThatChangesBetweenTwoLooksIsRunning) {
  const auto whole = plain_dump();
  BackupProbe probe(source_);
  const auto next = [&] { return probe.look(Deadline::in(seconds(20)), now_).records.at(0); };
  put("a.sql", whole.substr(0, 2000), hours(2));
  EXPECT_EQ(next().state, BackupState::partial);
  EXPECT_EQ(next().state, BackupState::partial) << "it stands still";
  put("a.sql", whole.substr(0, 3000), hours(1));
  EXPECT_EQ(next().state, BackupState::running);
  put("a.sql", whole, minutes(30));
  EXPECT_EQ(next().state, BackupState::running) << "whole, but it moved since the last look";
  EXPECT_EQ(next().state, BackupState::complete_unverified);
  put("a.sql", whole.substr(0, 2000), minutes(20));
  EXPECT_EQ(next().state, BackupState::running) << "written over in place";
  EXPECT_EQ(next().state, BackupState::partial);
}

TEST_F(BackupTest, AFileThatIsRenamedIntoPlaceCountsAtOnce) {
  BackupProbe probe(source_);
  put("a.sql", plain_dump(), hours(30));
  EXPECT_EQ(probe.look(Deadline::in(seconds(20)), now_).good_count(), 1U);
  put("a.sql.tmp", plain_dump(2000), hours(1));
  fs::rename(folder_ / "a.sql.tmp", folder_ / "a.sql");
  const auto found = probe.look(Deadline::in(seconds(20)), now_);
  EXPECT_EQ(found.good_count(), 1U);
  EXPECT_NEAR(sample(found, "age_seconds"), 3600, 2);
}

TEST_F(BackupTest, AnUnfinishedFileOfJustNowIsRunningAndDoesNotHideAnEarlierFailure) {
  put("a.sql", "", hours(3));
  put("b.sql", plain_dump().substr(0, 500), seconds(1));
  const auto found = look();
  EXPECT_EQ(found.newest_state(), BackupState::running);
  EXPECT_TRUE(found.newest_attempt_failed());
  EXPECT_FALSE(verdict().ok);
}

// --- base backups -----------------------------------------------------------------------------

class BaseBackupTest : public BackupTest {
 protected:
  void SetUp() override {
    BackupTest::SetUp();
    source_.kind = find_backup_kind("base");
  }
  static std::string gmt(WallClock::time_point when) {
    auto text = format_utc(when);
    return text.replace(text.size() - 3, 3, "GMT");
  }
  [[nodiscard]] std::string manifest(int version = 1) const {
    std::string out =
        "{ \"PostgreSQL-Backup-Manifest-Version\": " + std::to_string(version) + ",\n";
    if (version == 2) out += "\"System-Identifier\": 7710954740122442923,\n";
    out += "\"Files\": [\n{ \"Path\": \"backup_label\", \"Size\": 5, \"Last-Modified\": \"" +
           gmt(now_ - hours(6)) +
           "\", \"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"14\" },\n";
    out += "{ \"Path\": \"global/pg_control\", \"Size\": 16, \"Last-Modified\": \"" +
           gmt(now_ - hours(6)) + "\" },\n";
    out += "{ \"Path\": \"pg_tblspc/16400/PG_15/5/1\", \"Size\": 8192, \"Last-Modified\": \"" +
           gmt(now_) + "\" },\n";
    out += "{ \"Path\": \"base/5/16418\", \"Size\": 8, \"Last-Modified\": \"" + gmt(now_) +
           "\" }\n],\n";
    return out +
           "\"WAL-Ranges\": [\n{ \"Timeline\": 1, \"Start-LSN\": \"0/28\", \"End-LSN\": "
           "\"0/38\" }\n],\n\"Manifest-Checksum\": \"52e7\"}\n";
  }
  void make(const std::string& name, int version = 1, milliseconds age = hours(5)) {
    put(name + "/backup_label", "START", age);
    put(name + "/PG_VERSION", "15\n", age);
    put(name + "/global/pg_control", std::string(8, '\1') + std::string(8, '\0'), age);
    put(name + "/base/5/16418", "12345678", age);
    // Segments of 16 bytes: the range lies in number 2 and 3 of them.
    put(name + "/pg_wal/000000010000000000000002", std::string(16, 'w'), age);
    put(name + "/pg_wal/000000010000000000000003", std::string(16, 'w'), age);
    put(name + "/backup_manifest", manifest(version), age);
  }
};

TEST_F(BaseBackupTest, TheRecoveryPointIsTheStampOfItsLabel) {
  make("20261122T010000", 2);
  const auto record = only();
  EXPECT_EQ(record.state, BackupState::complete_unverified) << record.reason;
  EXPECT_EQ(record.kind, "base");
  EXPECT_EQ(record.time_source, TimeSource::label);
  EXPECT_EQ(record.system_identifier, 7710954740122442923U) << "no digit lost in a double";
  EXPECT_EQ(record.size_bytes, 5 + 16 + 8192 + 8);
  EXPECT_NEAR(sample(look(), "age_seconds"), 6 * 3600, 2);
  EXPECT_THAT(record.reason, HasSubstr("3 of 4 files compared"));
  source_.path = (folder_ / "20261122T010000").string();
  EXPECT_EQ(only().name, "20261122T010000");
}

TEST_F(BaseBackupTest, BeforeVersion2TheSystemIdentifierIsReadFromPgControl) {
  make("b1");
  EXPECT_EQ(only().system_identifier, 0x0101010101010101U);
}

TEST_F(BaseBackupTest, WithoutAManifestItIsPartialAndRunningWhileItGrows) {
  make("b1");
  fs::remove(folder_ / "b1/backup_manifest");
  for (const auto& each : fs::recursive_directory_iterator(folder_ / "b1")) {
    set_age(fs::relative(each.path(), folder_).string(), hours(1));
  }
  EXPECT_EQ(only().state, BackupState::partial);
  EXPECT_TRUE(look().newest_attempt_failed());
  BackupProbe probe(source_);
  const auto next = [&] { return probe.look(Deadline::in(seconds(20)), now_).records.at(0); };
  EXPECT_EQ(next().state, BackupState::partial);
  put("b1/base/5/16418", std::string(100, 'x'), hours(1));
  EXPECT_EQ(next().state, BackupState::running);
  put("b1/base/5/16419", "x", seconds(1));
  EXPECT_EQ(only().state, BackupState::running) << "written to just now";
}

TEST_F(BaseBackupTest, AFileThatIsMissingOrOfAnotherSizeIsFailed) {
  make("b1");
  put("b1/base/5/16418", "1234");
  EXPECT_EQ(only().state, BackupState::failed);
  EXPECT_THAT(only().reason, HasSubstr("base/5/16418 has 4 bytes, its manifest says 8"));
  fs::remove(folder_ / "b1/base/5/16418");
  EXPECT_EQ(only().state, BackupState::failed);
  EXPECT_THAT(only().reason, HasSubstr("base/5/16418 is missing"));
}

TEST_F(BaseBackupTest, ACutManifestIsFailed) {
  make("b1");
  const auto whole = manifest();
  for (const auto length : {std::size_t{0}, whole.size() / 2, whole.size() - 3}) {
    put("b1/backup_manifest", whole.substr(0, length));
    EXPECT_EQ(only().state, BackupState::failed) << length;
  }
  const auto checksum = whole.find(",\n\"Manifest-Checksum\"");
  put("b1/backup_manifest", whole.substr(0, checksum) + "}");
  EXPECT_EQ(only().state, BackupState::failed) << "valid JSON, but its last line is not there";
}

TEST_F(BaseBackupTest, AMissingWalSegmentIsFailedAndNoWalAtAllIsSaid) {
  make("b1");
  fs::remove(folder_ / "b1/pg_wal/000000010000000000000003");
  EXPECT_EQ(only().state, BackupState::failed);
  EXPECT_THAT(only().reason, HasSubstr("000000010000000000000003 is missing"));
  fs::remove(folder_ / "b1/pg_wal/000000010000000000000002");
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  EXPECT_THAT(only().reason, HasSubstr("without WAL"));
}

TEST_F(BaseBackupTest, ATarBackupCountsByItsPresence) {
  put("t1/backup_manifest", manifest());
  put("t1/base.tar.gz", "not looked into");
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  EXPECT_EQ(only().format, "base.tar.gz");
  put("t1/base.tar.gz", "");
  EXPECT_EQ(only().state, BackupState::failed);
  fs::remove(folder_ / "t1/base.tar.gz");
  put("t1/base.tar", std::string(4096, 'd'));
  EXPECT_EQ(only().state, BackupState::failed) << "without its closing blocks";
  put("t1/base.tar", std::string(4096, 'd') + std::string(1024, '\0'));
  EXPECT_EQ(only().state, BackupState::complete_unverified);
  fs::remove(folder_ / "t1/backup_manifest");
  set_age("t1", hours(1));
  EXPECT_EQ(only().state, BackupState::partial);
}

TEST_F(BaseBackupTest, PathsThatLeaveTheFolderAreNotFollowed) {
  make("b1");
  auto text = manifest();
  text.replace(text.find("base/5/16418"), 12, "../../../etc");
  put("b1/backup_manifest", text);
  EXPECT_THAT(only().reason, HasSubstr("2 of 4 files compared"));
}

// --- cost -------------------------------------------------------------------------------------

TEST_F(BackupTest, AFolderOfFiveThousandLargeFilesIsCheap) {
  constexpr int files = 5000;
  const auto end = std::string("\n") + kPlainEnd;
  for (int each = 0; each < files; ++each) {
    const auto name = "backup_" + std::to_string(10'000 + each) + ".sql";
    put(name, kPlainHead, hours(1));
    std::ofstream out(folder_ / name, std::ios::binary | std::ios::in);
    out.seekp(10 << 20);  // a hole: nothing is stored
    out << end;
    out.close();
    set_age(name, hours(1) + minutes(each));
  }
  BackupProbe probe(source_);
  for (int looks = 0; looks < 2; ++looks) {
    const auto before = SteadyClock::now();
    const auto found = probe.look(Deadline::in(seconds(20)), now_);
    const auto took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - before);
    EXPECT_EQ(found.good_count(), static_cast<std::size_t>(files)) << found.reason;
    EXPECT_LT(took, seconds(5));
    RecordProperty("look_" + std::to_string(looks) + "_ms", static_cast<int>(took.count()));
    std::cout << "look " << looks << ": " << took.count() << " ms\n";
  }
}

}  // namespace
}  // namespace pantryd
