// The rules by name: what each finds and how bad that is. docs/migrations.md tells the same with
// the safe rewrites; a test compares the two.
#include <algorithm>
#include <array>

#include "migrate/lint/linter.h"

namespace pantryd::migrate {
namespace {

constexpr auto danger = Severity::danger;
constexpr auto advice = Severity::advice;

constexpr std::array catalogue{
    LintRule{"add-check-without-not-valid", danger, true, "ADD CHECK that reads the table"},
    LintRule{"add-column-generated-stored", danger, true, "a stored generated column added"},
    LintRule{"add-column-not-null-without-default", danger, true,
             "ADD COLUMN NOT NULL, no default"},
    LintRule{"add-column-serial", danger, true, "a serial or identity column added"},
    LintRule{"add-column-volatile-default", danger, true, "ADD COLUMN with a volatile default"},
    LintRule{"add-domain-check-without-not-valid", danger, false, "a domain made stricter at once"},
    LintRule{"add-exclusion-constraint", danger, true, "EXCLUDE on a table in use"},
    LintRule{"add-foreign-key-without-not-valid", danger, true, "a foreign key checked at once"},
    LintRule{"add-index-not-concurrent", danger, true, "CREATE INDEX that stops writers"},
    LintRule{"add-primary-key", danger, true, "PRIMARY KEY without USING INDEX"},
    LintRule{"add-unique-constraint", danger, true, "UNIQUE without USING INDEX"},
    LintRule{"attach-partition-without-check", danger, true, "ATTACH PARTITION that scans"},
    LintRule{"backfill-not-batched", advice, false, "UPDATE or DELETE of unknown extent"},
    LintRule{"backfill-with-ddl", danger, true, "many rows changed under the lock of DDL"},
    LintRule{"cannot-run-in-transaction", danger, false,
             "VACUUM, ALTER SYSTEM ... in a transaction"},
    LintRule{"change-column-type", danger, true, "ALTER COLUMN TYPE that rewrites"},
    LintRule{"cluster", danger, true, "CLUSTER"},
    LintRule{"concurrent-in-transaction", danger, false, "CONCURRENTLY in a transaction"},
    LintRule{"constraint-without-name", advice, false, "a constraint that the server names"},
    LintRule{"create-partition-of", advice, true, "CREATE TABLE PARTITION OF a table in use"},
    LintRule{"create-table-as", advice, true, "CREATE TABLE AS from a table in use"},
    LintRule{"create-trigger", advice, true, "CREATE TRIGGER on a table in use"},
    LintRule{"delete-without-where", danger, true, "DELETE of every row"},
    LintRule{"detach-not-concurrent", danger, true, "DETACH PARTITION without CONCURRENTLY"},
    LintRule{"disable-trigger-all", danger, false, "DISABLE TRIGGER ALL or USER"},
    LintRule{"do-block-not-inspected", advice, false, "DO, whose body is a text"},
    LintRule{"drop-cascade", danger, false, "DROP ... CASCADE"},
    LintRule{"drop-column", danger, false, "DROP COLUMN"},
    LintRule{"drop-database", danger, false, "DROP DATABASE"},
    LintRule{"drop-index-not-concurrent", danger, false, "DROP INDEX without CONCURRENTLY"},
    LintRule{"drop-not-null", advice, false, "DROP NOT NULL"},
    LintRule{"drop-owned", danger, false, "DROP OWNED"},
    LintRule{"drop-schema", danger, false, "DROP SCHEMA"},
    LintRule{"drop-table", danger, false, "DROP TABLE or MATERIALIZED VIEW"},
    LintRule{"enum-value-used-in-same-transaction", danger, false,
             "a new enum value used too early"},
    LintRule{"enum-value-without-order", advice, false, "ADD VALUE without BEFORE or AFTER"},
    LintRule{"grant-to-public", danger, false, "GRANT TO PUBLIC"},
    LintRule{"identifier-too-long", danger, false, "a name over 63 bytes"},
    LintRule{"index-without-name", advice, false, "CREATE INDEX without a name"},
    LintRule{"lock-table-explicit", danger, true, "LOCK TABLE that stops writers"},
    LintRule{"lock-timeout-off", danger, false, "lock_timeout switched off"},
    LintRule{"locks-many-tables", advice, false, "a second table locked in one transaction"},
    LintRule{"not-parsed", advice, false, "what PostgreSQL 15's parser refuses"},
    LintRule{"password-in-plain-text", danger, false, "a password in the file"},
    LintRule{"prefer-bigint", advice, false, "a 32-bit or smaller key"},
    LintRule{"prefer-identity", advice, false, "serial"},
    LintRule{"prefer-jsonb", advice, false, "json"},
    LintRule{"prefer-robust-statements", advice, false, "a statement that cannot run twice"},
    LintRule{"prefer-text", advice, false, "varchar(n) or char(n)"},
    LintRule{"prefer-timestamptz", advice, false, "timestamp without time zone"},
    LintRule{"psql-only", danger, false, "backslash commands, COPY with psql's data"},
    LintRule{"refresh-matview-not-concurrent", danger, true, "REFRESH without CONCURRENTLY"},
    LintRule{"reindex-not-concurrent", danger, true, "REINDEX without CONCURRENTLY"},
    LintRule{"rename-column", danger, false, "RENAME COLUMN"},
    LintRule{"rename-enum-value", danger, false, "RENAME VALUE"},
    LintRule{"rename-schema", danger, false, "ALTER SCHEMA RENAME"},
    LintRule{"rename-table", danger, false, "RENAME of a table or view"},
    LintRule{"replica-identity-full", advice, true, "REPLICA IDENTITY FULL"},
    LintRule{"security-definer-without-search-path", danger, false, "SECURITY DEFINER, open path"},
    LintRule{"set-access-method", danger, true, "SET ACCESS METHOD"},
    LintRule{"set-logged", danger, true, "SET LOGGED or UNLOGGED"},
    LintRule{"set-not-local", advice, false, "SET that outlives its transaction"},
    LintRule{"set-not-null-without-validated-check", danger, true, "SET NOT NULL that scans"},
    LintRule{"set-tablespace", danger, true, "SET TABLESPACE"},
    LintRule{"transaction-nesting", danger, false, "BEGIN, COMMIT or ROLLBACK in the file"},
    LintRule{"truncate", danger, false, "TRUNCATE"},
    LintRule{"unused-allow", advice, false, "an allow that silences nothing"},
    LintRule{"update-without-where", danger, true, "UPDATE of every row"},
    LintRule{"vacuum-full", danger, true, "VACUUM FULL"},
    LintRule{"validate-in-same-transaction", danger, true, "VALIDATE under the lock of its ALTER"},
};

}  // namespace

std::string_view to_string(Severity severity) {
  return severity == Severity::danger ? "danger" : "advice";
}

std::span<const LintRule> lint_rules() {
  return catalogue;
}

const LintRule* find_lint_rule(std::string_view name) {
  const auto found = std::find_if(catalogue.begin(), catalogue.end(),
                                  [&](const LintRule& rule) { return name == rule.name; });
  return found == catalogue.end() ? nullptr : &*found;
}

}  // namespace pantryd::migrate
