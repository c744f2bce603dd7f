// The probes of what keeps a server safe, on a server that is made unsafe one thing at a time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>

#include "base/file.h"
#include "pg/tls.h"
#include "probes/engine/run.h"
#include "probes/posture/certificate.h"
#include "tests/support/sessions.h"
#include "tests/support/within.h"

namespace pantryd::probes {
namespace {

using namespace testing_support;
using std::chrono::seconds;

const ProbeSpec& spec_of(const std::string& name) {
  static const auto all = embedded_probes();
  for (const auto& spec : all) {
    if (spec.name == name) return spec;
  }
  throw std::logic_error("no probe is called " + name);
}

ProbeRun run(pg::Connection& connection, const std::string& probe) {
  const auto& spec = spec_of(probe);
  ProbeMemory memory(spec);
  RunOptions options;
  options.target = "t";
  options.with_samples = true;
  return run_probe(connection, spec, read_facts(connection, soon()), options, memory);
}

/// Values by metric and labels, such as "m" or "m|trust".
std::map<std::string, double> values(const ProbeRun& run) {
  EXPECT_EQ(run.outcome, Outcome::ok) << run.error;
  std::map<std::string, double> out;
  for (const auto& sample : run.samples) {
    auto key = sample.metric->name;
    for (const auto& [name, value] : sample.labels) key += "|" + value;
    out[key] = sample.value;
  }
  return out;
}

/// What the probe tells after the statement that it did not tell before it, and the other way
/// round.
class Posture : public testing::Test {
 protected:
  double told(const std::string& probe, const std::string& key) {
    const auto all = values(run(admin_, probe));
    const auto found = all.find(key);
    EXPECT_NE(found, all.end()) << probe << " does not tell " << key;
    return found == all.end() ? -1 : found->second;
  }
  void change_and_back(const std::string& change, const std::string& back, const std::string& probe,
                       const std::string& key, double before, double after) {
    EXPECT_EQ(told(probe, key), before) << key;
    for (const auto& sql : {change, std::string("SELECT pg_reload_conf()")})
      admin_.exec(sql, soon());
    EXPECT_TRUE(within(seconds(20), [&] { return told(probe, key) == after; })) << change;
    for (const auto& sql : {back, std::string("SELECT pg_reload_conf()")}) admin_.exec(sql, soon());
    EXPECT_TRUE(within(seconds(20), [&] { return told(probe, key) == before; })) << back;
  }
  void setting(const std::string& name, const std::string& value, const std::string& key,
               double before, double after) {
    change_and_back("ALTER SYSTEM SET " + name + " = " + value, "ALTER SYSTEM RESET " + name,
                    "posture", key, before, after);
  }
  pg::Connection admin_ = connect();
};

TEST_F(Posture, SettingsThatLoseDataAreTold) {
  setting("fsync", "off", "pantryd_posture_fsync", 1, 0);
  setting("full_page_writes", "off", "pantryd_posture_full_page_writes", 1, 0);
  setting("synchronous_commit", "off", "pantryd_posture_synchronous_commit", 1, 0);
  setting("password_encryption", "md5", "pantryd_posture_scram", 1, 0);
}

TEST_F(Posture, ASuperuserTooManyIsTold) {
  const auto before = told("posture", "pantryd_roles_superuser");
  change_and_back("CREATE ROLE one_more SUPERUSER LOGIN", "DROP ROLE one_more", "posture",
                  "pantryd_roles_superuser", before, before + 1);
}

TEST_F(Posture, WhatEveryRoleMayDoIsTold) {
  change_and_back("GRANT CREATE ON SCHEMA public TO PUBLIC",
                  "REVOKE CREATE ON SCHEMA public FROM PUBLIC", "posture",
                  "pantryd_public_may_create_objects|zion_grocery_db", 0, 1);
  change_and_back("REVOKE CONNECT ON DATABASE zion_grocery_db FROM PUBLIC",
                  "GRANT CONNECT ON DATABASE zion_grocery_db TO PUBLIC", "posture",
                  "pantryd_public_may_connect|zion_grocery_db", 1, 0);
}

TEST_F(Posture, AMd5PasswordIsTold) {
  change_and_back(
      "DO $$BEGIN SET LOCAL password_encryption = md5; CREATE ROLE old LOGIN PASSWORD 'x'; END$$",
      "DROP ROLE old", "posture_passwords", "pantryd_roles_md5_passwords", 0, 1);
}

TEST_F(Posture, AnExtensionThatProbesNeedAndAnOutdatedOneAreTold) {
  EXPECT_EQ(told("posture", "pantryd_extension_installed|pg_stat_statements"), 1);
  change_and_back("DROP EXTENSION pg_stat_statements", "CREATE EXTENSION pg_stat_statements",
                  "posture", "pantryd_extension_installed|pg_stat_statements", 1, 0);
  admin_.exec("DROP EXTENSION pg_stat_statements", soon());
  admin_.exec("CREATE EXTENSION pg_stat_statements VERSION '1.9'", soon());
  change_and_back("SELECT 1", "SELECT 1", "posture",
                  "pantryd_extension_outdated|pg_stat_statements", 1, 1);
  admin_.exec("ALTER EXTENSION pg_stat_statements UPDATE", soon());
  EXPECT_EQ(told("posture", "pantryd_extension_outdated|pg_stat_statements"), 0);
}

TEST_F(Posture, TheMinorReleaseIsComparedWithWhatTheBinaryKnows) {
  const int major = admin_.server_version() / 10'000;
  const int minor = admin_.server_version() % 10'000;
  ASSERT_TRUE(major == 15 || major == 17) << "add the newest minor of " << major;
  EXPECT_EQ(told("posture", "pantryd_minor_releases_behind"),
            std::max(0, (major == 15 ? 20 : 12) - minor));
}

TEST_F(Posture, ALineOfTrustForTheNetworkIsTold) {
  const auto before = told("posture_hba", "pantryd_hba_weak_rules|trust");
  const auto file =
      std::string(admin_.exec("SELECT current_setting('hba_file')", soon()).text(0, 0));
  const auto text = read_file(file);
  const auto rewrite = [&](const std::string& content) {
    // In place, so that the file stays the server's.
    FILE* out = std::fopen(file.c_str(), "w");
    ASSERT_NE(out, nullptr);
    std::fputs(content.c_str(), out);
    std::fclose(out);
  };
  rewrite(text + "\nhost all all 10.0.0.0/8 trust\nhost all all 10.0.0.0/8 nonsense\n");
  EXPECT_EQ(told("posture_hba", "pantryd_hba_weak_rules|trust"), before + 1);
  EXPECT_EQ(told("posture_hba", "pantryd_hba_rules|host|trust|network"), 1);
  EXPECT_EQ(told("posture_hba", "pantryd_hba_errors"), 1);
  rewrite(text);
  EXPECT_EQ(told("posture_hba", "pantryd_hba_errors"), 0);
}

TEST_F(Posture, WhatOnlyASuperuserSeesDoesNotApplyToARoleThatWatches) {
  admin_.exec_script("CREATE ROLE looker LOGIN PASSWORD 'looking'; GRANT pg_monitor TO looker",
                     soon());
  auto where = shared_sandbox().primary();
  auto looker = pg::Connection::connect(
      where.with("passfile", "").with("user", "looker").with("password", "looking"), soon());
  EXPECT_EQ(run(looker, "posture_hba").outcome, Outcome::not_applicable);
  EXPECT_EQ(run(looker, "posture_passwords").outcome, Outcome::not_applicable);
  const auto posture = values(run(looker, "posture"));
  EXPECT_EQ(posture.count("pantryd_posture_fsync"), 1U);
  EXPECT_EQ(posture.count("pantryd_tls_connections_ratio"), 1U);
  admin_.exec_script("DROP OWNED BY looker; DROP ROLE looker", soon());
}

TEST_F(Posture, TheServersCertificateAndTheShareOfTlsAreTold) {
  const auto probe = certificate_probe();
  const auto look = [&](pg::Connection& connection) {
    return probe.run(connection, read_facts(connection, soon()), soon());
  };
  EXPECT_EQ(look(admin_).outcome, Outcome::not_applicable);
  EXPECT_EQ(told("posture", "pantryd_posture_ssl"), 0);

  const auto folder = scratch_dir() / "tls";
  std::filesystem::create_directories(folder);
  const auto key = (folder / "server.key").string();
  const auto certificate = (folder / "server.crt").string();
  // notAfter is 2031-02-03 04:05:06 UTC.
  const auto made = run_child(
      {{"sh", "-c",
        fmt::format(
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -keyout {0}.pem "
            "-out {1}.pem -days 1 2>&1 && openssl req -new -key {0}.pem -subj /CN=localhost "
            "-out {1}.csr 2>&1 && cd {2} && touch index.txt && echo 01 > serial && printf "
            "'[ca]\\ndefault_ca=a\\n[a]\\ndatabase=index.txt\\nserial=serial\\nnew_certs_dir"
            "=.\\ndefault_md=sha256\\npolicy=p\\n[p]\\ncommonName=supplied\\n' > ca.cnf && "
            "openssl ca -batch -selfsign -config ca.cnf -keyfile {0}.pem -in {1}.csr -out "
            "{1} -startdate 20260101000000Z -enddate 20310203040506Z 2>&1 && cp {0}.pem {0}",
            key, certificate, folder.string())}},
      Deadline::in(seconds(60)));
  ASSERT_TRUE(made.ok()) << made.output;
  ::chmod(folder.c_str(), 0755);
  ::chmod(key.c_str(), 0600);
  ::chmod(certificate.c_str(), 0644);
  if (const auto user = server_user()) {
    ASSERT_EQ(::chown(key.c_str(), user->uid, user->gid), 0);
  }
  for (const auto& [name, value] : {std::pair{"ssl_cert_file", certificate},
                                    {"ssl_key_file", key},
                                    {"ssl", std::string("on")}}) {
    admin_.exec(fmt::format("ALTER SYSTEM SET {} = '{}'", name, value), soon());
  }
  admin_.exec("SELECT pg_reload_conf()", soon());
  ASSERT_TRUE(within(seconds(20), [&] { return told("posture", "pantryd_posture_ssl") == 1; }));

  auto safe =
      pg::Connection::connect(shared_sandbox().primary().with("sslmode", "require"), soon());
  const auto seen = look(safe);
  ASSERT_EQ(seen.outcome, Outcome::ok);
  EXPECT_EQ(seen.samples.at(0).value, 1927857906);
  const auto posture = values(run(admin_, "posture"));
  EXPECT_GT(posture.at("pantryd_tls_connections_ratio"), 0);
  EXPECT_LT(posture.at("pantryd_tls_connections_ratio"), 1);
  EXPECT_GE(told("tls", "pantryd_sessions_by_tls|tcp|TLSv1.3"), 1);
  for (const auto* name : {"ssl", "ssl_cert_file", "ssl_key_file"}) {
    admin_.exec(fmt::format("ALTER SYSTEM RESET {}", name), soon());
  }
  admin_.exec("SELECT pg_reload_conf()", soon());
}

}  // namespace
}  // namespace pantryd::probes
