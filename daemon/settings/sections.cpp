// The rows of every section, made of keys/*.def. A new section gets its function here.
#include "base/assert.h"
#include "settings/make_row.h"

namespace pantryd {
namespace {

using namespace keys;
using namespace std::chrono_literals;

template <typename S>
std::vector<Row<S>> checked(std::vector<Row<S>> rows) {
  std::set<std::string> names;
  for (const auto& row : rows) {
    const bool fresh = names.insert(row.info.name).second;
    PANTRYD_ASSERT(fresh);
    PANTRYD_ASSERT(!row.info.help.empty());
    PANTRYD_ASSERT(row.info.tarn.empty() || row.info.tarn == row.info.name || row.read_tarn);
  }
  return rows;
}

}  // namespace

#define KEY(type, field, otherwise, rules) make_row(#field, &Here::field, rules),

const std::vector<Row<Settings>>& rows_of(const Settings*) {
  using Here = Settings;
  static const auto rows = checked<Here>({
#include "settings/keys/top.def"
  });
  return rows;
}

const std::vector<Row<HttpSettings>>& rows_of(const HttpSettings*) {
  using Here = HttpSettings;
  static const auto rows = checked<Here>({
#include "settings/keys/http.def"
  });
  return rows;
}

const std::vector<Row<ProbeSettings>>& rows_of(const ProbeSettings*) {
  using Here = ProbeSettings;
  static const auto rows = checked<Here>({
#include "settings/keys/probes.def"
  });
  return rows;
}

const std::vector<Row<PoolKeys>>& rows_of(const PoolKeys*) {
  using Here = PoolKeys;
  static const auto rows = checked<Here>({
#include "settings/keys/pool.def"
  });
  return rows;
}

const std::vector<Row<TargetSettings>>& rows_of(const TargetSettings*) {
  using Here = TargetSettings;
  static const auto rows = checked<Here>({
#include "settings/keys/target.def"
  });
  return rows;
}

const std::vector<Row<DatabaseSettings>>& rows_of(const DatabaseSettings*) {
  using Here = DatabaseSettings;
  static const auto rows = checked<Here>({
#include "settings/keys/databases.def"
  });
  return rows;
}

const std::vector<Row<PgBouncerSettings>>& rows_of(const PgBouncerSettings*) {
  using Here = PgBouncerSettings;
  static const auto rows = checked<Here>({
#include "settings/keys/pgbouncer.def"
  });
  return rows;
}

const std::vector<Row<DiskSettings>>& rows_of(const DiskSettings*) {
  using Here = DiskSettings;
  static const auto rows = checked<Here>({
#include "settings/keys/disks.def"
  });
  return rows;
}

const std::vector<Row<BackupSettings>>& rows_of(const BackupSettings*) {
  using Here = BackupSettings;
  static const auto rows = checked<Here>({
#include "settings/keys/backup.def"
  });
  return rows;
}

#undef KEY

}  // namespace pantryd
