// Invariant: State is touched by one thread at a time. A look that was left behind by its deadline
// keeps `busy` set, and nobody else touches the readers until it clears it.
#include "probes/backup/backup_probe.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>

#include "base/assert.h"
#include "base/units.h"
#include "base/wait.h"

namespace pantryd {
namespace {

/// A look may overrun its own deadline by one read; a file system that hangs overruns it for ever.
constexpr std::chrono::milliseconds kOverrunAllowed{1000};

double epoch_seconds(WallClock::time_point when) {
  return std::chrono::duration<double>(when.time_since_epoch()).count();
}

std::string describe(const BackupRecord& record) {
  return fmt::format("{} ({}, {})", record.name, record.format, format_bytes(record.size_bytes));
}

std::string age_text(WallClock::duration age) {
  return format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(age));
}

/// A point up to kClockSkewAllowed ahead of us is of now.
WallClock::duration age_of(const BackupRecord& record, WallClock::time_point now) {
  return std::max(now - record.recovery_point, WallClock::duration::zero());
}

}  // namespace

struct BackupProbe::State {
  explicit State(const BackupSource& source)
      : kind(*source.kind), path(source.path), reader(kind.make_reader(source.reader)) {
    PANTRYD_ASSERT(reader != nullptr);
  }

  BackupLook look(Deadline deadline, WallClock::time_point now) {
    try {
      auto out = reader->look(path, deadline, now);
      for (auto& record : out.records) record.kind = kind.name;
      return out;
    } catch (const std::exception& error) {
      BackupLook failed;
      failed.reason = error.what();
      return failed;
    }
  }

  const BackupKind& kind;
  const std::string path;
  const std::unique_ptr<backup::Reader> reader;
  std::atomic<bool> busy{false};
};

/// Holds `busy` for one look. Also lets go when the look is never started: run_bounded may refuse.
struct BackupProbe::Turn {
  explicit Turn(std::shared_ptr<State> held) : state(std::move(held)) {}
  ~Turn() { end(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  void end() {
    if (!ended.exchange(true)) state->busy = false;
  }
  std::shared_ptr<State> state;
  std::atomic<bool> ended{false};
};

BackupProbe::BackupProbe(BackupSource source) : source_(std::move(source)) {
  PANTRYD_ASSERT(source_.kind != nullptr);
  state_ = std::make_shared<State>(source_);
}
BackupProbe::~BackupProbe() = default;
BackupProbe::BackupProbe(BackupProbe&&) noexcept = default;
BackupProbe& BackupProbe::operator=(BackupProbe&&) noexcept = default;

BackupLook BackupProbe::look(Deadline deadline, WallClock::time_point now) {
  BackupLook silent;
  silent.reason = "the file system did not answer in time";
  if (state_->busy.exchange(true)) return silent;
  auto turn = std::make_shared<Turn>(state_);
  const auto result = std::make_shared<BackupLook>();
  const auto ended = run_bounded(
      [turn = std::move(turn), result, deadline, now] {
        *result = turn->state->look(deadline, now);
        turn->end();
      },
      Deadline::at(deadline.when() + kOverrunAllowed), nullptr);
  return ended == Ready::yes ? std::move(*result) : silent;
}

BackupLook look_at(const BackupSource& source, Deadline deadline, WallClock::time_point now) {
  return BackupProbe(source).look(deadline, now);
}

const probes::ProbeDescription& backup_description() {
  using probes::MetricType;
  const std::vector<std::string> labels{"kind", "name"};
  static const probes::ProbeDescription out{
      "backup",
      "Folders of backups that the configuration names.",
      std::chrono::seconds(30),
      std::chrono::seconds(20),
      probes::CostClass::low,
      {{{"pantryd_backup_last_success_timestamp_seconds", MetricType::gauge,
         "Recovery point of the newest good backup, as Unix time."},
        labels},
       {{"pantryd_backup_age_seconds", MetricType::gauge,
         "Age of the recovery point of the newest good backup."},
        labels},
       {{"pantryd_backup_age_limit_seconds", MetricType::gauge,
         "How old the newest good backup may be."},
        labels},
       {{"pantryd_backup_size_bytes", MetricType::gauge, "Size of the newest good backup."},
        labels},
       {{"pantryd_backup_count", MetricType::gauge, "Good backups in the folder."}, labels},
       {{"pantryd_backup_newest_failed", MetricType::gauge,
         "1 if the newest attempt is partial, empty or damaged."},
        labels},
       {{"pantryd_backup_readable", MetricType::gauge,
         "0 if the folder of the backups cannot be read."},
        labels}}};
  return out;
}

namespace {

void add_samples(probes::SampleList& samples, const BackupSource& source, const BackupLook& look,
                 WallClock::time_point now) {
  const std::vector<std::string> labels{std::string(source.kind->name), source.name};
  const auto add = [&](const char* name, double value) {
    samples.add(fmt::format("pantryd_backup_{}", name), labels, value);
  };
  add("readable", look.readable ? 1 : 0);
  add("age_limit_seconds", std::chrono::duration<double>(source.age_limit_ms).count());
  if (!look.readable) return;
  add("count", static_cast<double>(look.good_count()));
  add("newest_failed", look.newest_attempt_failed() ? 1 : 0);
  if (const auto* good = look.newest_good()) {
    add("last_success_timestamp_seconds", epoch_seconds(good->recovery_point));
    add("age_seconds", std::chrono::duration<double>(age_of(*good, now)).count());
    add("size_bytes", static_cast<double>(good->size_bytes));
  }
}

probes::ProbeRun look_at_all(std::vector<BackupProbe>& readers, Deadline deadline) {
  probes::ProbeRun run;
  probes::SampleList samples(backup_description());
  for (auto& reader : readers) {
    const auto now = WallClock::now();
    const auto look = reader.look(deadline, now);
    run.rows += static_cast<std::int64_t>(look.records.size());
    add_samples(samples, reader.source(), look, now);
  }
  run.samples = samples.take();
  return run;
}

}  // namespace

std::vector<probes::Sample> backup_samples(const BackupSource& source, const BackupLook& look,
                                           WallClock::time_point now) {
  probes::SampleList samples(backup_description());
  add_samples(samples, source, look, now);
  return samples.take();
}

probes::LocalProbe backup_probe(std::vector<BackupSource> sources) {
  // Kept from look to look: a reader's memory distinguishes a growing file from a broken one.
  const auto readers = std::make_shared<std::vector<BackupProbe>>();
  for (auto& source : sources) readers->emplace_back(std::move(source));
  return probes::local_probe(backup_description(), [readers](Deadline deadline) {
    return look_at_all(*readers, deadline);
  });
}

BackupVerdict judge_backup(const BackupSource& source, const BackupLook& look,
                           WallClock::time_point now) {
  if (!look.readable) {
    return {false, fmt::format("{} cannot be read: {}", source.path, look.reason)};
  }
  const auto* good = look.newest_good();
  const auto* newest = look.newest_attempt();
  std::string evidence;
  bool fresh = false;
  if (good != nullptr) {
    const auto age = age_of(*good, now);
    fresh = age < source.age_limit_ms;
    evidence =
        fmt::format("newest good backup {}: recovery point {} by {}, {} old, limit {}",
                    describe(*good), format_utc(good->recovery_point), to_string(good->time_source),
                    age_text(age), format_duration(source.age_limit_ms));
  } else if (look.records.empty()) {
    evidence = fmt::format("no backup in {}", source.path);
  } else {
    evidence = fmt::format("no good backup in {} ({} attempts)", source.path, look.records.size());
  }
  const bool failed = look.newest_attempt_failed();
  if (failed) {
    evidence += fmt::format("; newest attempt {} is {}: {}", describe(*newest),
                            to_string(newest->state), newest->reason);
  }
  if (!look.records.empty()) {
    const auto& first = look.records.front();
    if (first.state == BackupState::running || first.state == BackupState::unknown) {
      evidence += fmt::format("; {} is {}: {}", first.name, to_string(first.state), first.reason);
    }
  }
  return {fresh && !failed, evidence};
}

}  // namespace pantryd
