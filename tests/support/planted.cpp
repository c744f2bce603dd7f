// Plants everything from one session, whose own search_path is safe.
#include "tests/support/planted.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "pg/connection.h"
#include "tests/support/page_watch.h"
#include "tests/support/sessions.h"

namespace pantryd::testing_support {
namespace {

/// Writes who called what to the server's log, in every session and also in a read-only one.
constexpr const char* kSpy = R"(
CREATE FUNCTION public.spy(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  RAISE LOG 'PLANTED % CALLED BY %', what, session_user; RETURN true; END $$;
)";

/// An operator for each pair of types that an inexact expression may have, and for all pairs that
/// the server itself has one for.
constexpr const char* kOperators = R"(
DO $do$ DECLARE
  s text; o record;
BEGIN
  FOREACH s IN ARRAY ARRAY['public', 'watcher'] LOOP
    FOR o IN
      SELECT DISTINCT ON (name, l, r) name, l, r, result FROM (
        SELECT oprname AS name, format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r,
               format_type(oprresult, NULL) AS result
        FROM pg_catalog.pg_operator
        WHERE oprleft <> 0 AND oprname IN ('=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '%',
              '||', '~', '!~', '->>', '->', '~~', '!~~', '&', '|', '>>', '<<')
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t
                          WHERE t.oid IN (oprleft, oprright, oprresult) AND t.typtype = 'p')
        UNION ALL
        SELECT n.name, l.t, r.t, CASE WHEN n.name IN ('+', '-', '*', '/', '%') THEN 'numeric'
                                      WHEN n.name = '||' THEN 'text' ELSE 'boolean' END
        FROM unnest(ARRAY['=', '<>', '<', '>', '<=', '>=', '+', '-', '*', '/', '||']) n(name),
             unnest(ARRAY['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric',
                          'text', 'name', 'oid']) l(t),
             unnest(ARRAY['smallint', 'integer', 'bigint', 'real', 'double precision', 'numeric',
                          'text', 'name', 'oid']) r(t)) every
      ORDER BY name, l, r
    LOOP
      EXECUTE format('CREATE FUNCTION %I.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', s,
                     'op_' || md5(o.name), o.l, o.r, o.result,
                     format('BEGIN PERFORM public.spy(%L); RETURN NULL; END',
                                      s || '.' || o.name || '(' || o.l || ', ' || o.r || ')'));
      EXECUTE format('CREATE OPERATOR %I.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = %I.%I)', s,
                     o.name, o.l, o.r, s, 'op_' || md5(o.name));
    END LOOP;
  END LOOP;
END $do$;
)";

/// Functions with the server's names, for arguments that it takes only by a cast.
constexpr const char* kFunctions = R"(
DO $do$ DECLARE
  s text; f record;
BEGIN
  FOREACH s IN ARRAY ARRAY['public', 'watcher'] LOOP
    FOR f IN
      SELECT DISTINCT p.proname AS name, a.list FROM pg_catalog.pg_proc p,
        unnest(ARRAY['name', 'bigint', 'text', 'oid', 'numeric', 'double precision',
                     'name, integer', 'numeric, integer', 'text, text', 'name, name',
                     'name, text']) a(list)
      WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.pronargs IN (1, 2)
        AND p.proname ~ ('^(pg_|has_|quote_|format|left|right|length|lower|round|trunc|extract|age|'
          'mxid|to_|split|replace|substr|btrim|md5|obj_|current_setting|row_|json|array|string)')
    LOOP
      BEGIN
        EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', s, f.name,
                       f.list, format('BEGIN PERFORM public.spy(%L); RETURN NULL; END',
                                      s || '.' || f.name || '(' || f.list || ')'));
      EXCEPTION WHEN OTHERS THEN NULL;
      END;
    END LOOP;
  END LOOP;
END $do$;
)";

/// Views with the names of the server's views and tables, which answer as those do.
constexpr const char* kViews = R"(
DO $do$ DECLARE
  s text; v record;
BEGIN
  FOREACH s IN ARRAY ARRAY['public', 'watcher'] LOOP
    FOR v IN SELECT c.relname AS name FROM pg_catalog.pg_class c
             WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind IN ('v', 'r')
               AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
    LOOP
      BEGIN
        EXECUTE format('CREATE VIEW %I.%I AS SELECT * FROM pg_catalog.%I WHERE public.spy(%L)', s,
                       v.name, v.name, s || '.' || v.name);
        EXECUTE format('GRANT SELECT ON %I.%I TO PUBLIC', s, v.name);
      EXCEPTION WHEN OTHERS THEN NULL;  -- such as a column of a pseudo-type
      END;
    END LOOP;
  END LOOP;
END $do$;
)";

/// Our own tables, as the owner of a database would make them to catch us.
constexpr const char* kTables = R"(
CREATE FUNCTION pantryd.constant(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
  PERFORM public.spy('an expression'); RETURN i; END $$;
CREATE TYPE pantryd.word AS ENUM ('done', 'up', '2', '1');
CREATE FUNCTION pantryd.word_as_text(pantryd.word) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  PERFORM public.spy('a cast to text'); RETURN 'done'; END $$;
CREATE CAST (pantryd.word AS text) WITH FUNCTION pantryd.word_as_text(pantryd.word) AS IMPLICIT;
CREATE FUNCTION pantryd.word_as_number(pantryd.word) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
  PERFORM public.spy('a cast to a number'); RETURN 2; END $$;
CREATE CAST (pantryd.word AS bigint) WITH FUNCTION pantryd.word_as_number(pantryd.word) AS IMPLICIT;
CREATE FUNCTION pantryd.word_as_json(pantryd.word) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
  PERFORM public.spy('a cast to json'); RETURN '"done"'; END $$;
CREATE CAST (pantryd.word AS json) WITH FUNCTION pantryd.word_as_json(pantryd.word);
CREATE TABLE pantryd.migrations (
  id text, version bigint, name text, kind text, checksum text, state pantryd.word,
  direction pantryd.word, statements_total int DEFAULT 1, statements_done int DEFAULT 1,
  statement_started int DEFAULT 0, done_checksum text, error text, finished_at timestamptz,
  duration_ms bigint, attempts int DEFAULT 1);
INSERT INTO pantryd.migrations (id, version, name, kind, checksum, state, direction)
  VALUES ('1', 1, 'one', 'versioned', 'x', 'done', 'up');
CREATE INDEX ON pantryd.migrations ((version + pantryd.constant(1)));
CREATE STATISTICS pantryd.guess ON (version + pantryd.constant(2)), (version * 2)
  FROM pantryd.migrations;
CREATE TABLE pantryd.load_ceiling (
  workload text, mode text, users bigint, connections bigint, low_per_s float8, high_per_s float8,
  transactions_per_s float8, measured_at timestamptz, result_version pantryd.word);
INSERT INTO pantryd.load_ceiling VALUES ('w', 'open', 1, 1, 10, 12, 10, now(), '2');
CREATE INDEX ON pantryd.load_ceiling ((users + pantryd.constant(1)::bigint));
CREATE FUNCTION pantryd.fingerprint() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  PERFORM public.spy('a view of ours'); RETURN 'x'; END $$;
CREATE VIEW pantryd.seen AS SELECT pantryd.fingerprint() AS algorithm;
CREATE TABLE pantryd.catalogue_fingerprint (algorithm text, fingerprint text, objects text,
  objects_before_run text, recorded_at timestamptz);
INSERT INTO pantryd.catalogue_fingerprint VALUES ('x', 'x', 'x', NULL, now());
CREATE INDEX ON pantryd.catalogue_fingerprint ((pantryd.constant(1)));
CREATE TABLE public.guarded (id int);
ALTER TABLE public.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY spied ON public.guarded USING (public.spy('a policy'));
GRANT USAGE ON SCHEMA pantryd, public, watcher, ext TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA pantryd, public TO PUBLIC;
CREATE VIEW ext.pg_stat_statements_room AS SELECT public.spy('a view beside the extension');
ALTER DATABASE tenant_db SET search_path = "$user", public, ext, pantryd, pg_catalog;
)";

}  // namespace

pg::Conninfo plant_objects(const pg::Conninfo& server) {
  const auto watcher = watcher_at(shared_sandbox().port());
  auto admin = pg::Connection::connect(server, soon());
  admin.exec(fmt::format("CREATE ROLE {} LOGIN PASSWORD 'planting'", kTenant), soon());
  admin.exec(fmt::format("CREATE DATABASE tenant_db OWNER {}", kTenant), soon());
  auto inside = pg::Connection::connect(server.with("dbname", "tenant_db"), soon());
  inside.exec_script(fmt::format("CREATE SCHEMA ext AUTHORIZATION {0};"
                                 "CREATE EXTENSION pg_stat_statements SCHEMA ext;"
                                 "CREATE SCHEMA pantryd AUTHORIZATION {0};"
                                 "CREATE SCHEMA watcher AUTHORIZATION {0};"
                                 "ALTER SCHEMA public OWNER TO {0}",
                                 kTenant),
                     soon());
  auto tenant = pg::Connection::connect(
      watcher.with("dbname", "tenant_db").with("user", kTenant).with("password", "planting"),
      soon());
  tenant.exec("SET search_path = pg_catalog", soon());  // it must not trip over its own
  for (const char* each : {kSpy, kOperators, kFunctions, kViews, kTables}) {
    tenant.exec_script(each, Deadline::in(std::chrono::seconds(60)));
  }
  return watcher.with("dbname", "tenant_db");
}

std::vector<std::string> called_by_others(std::size_t after) {
  const auto log = try_read_file(shared_sandbox().dir() / "log/primary.log", 256U << 20U);
  std::vector<std::string> out;
  for (std::size_t at = 0; log && at < log->size();) {
    const auto end = std::min(log->find('\n', at), log->size());
    const auto line = log->substr(at, end - at);
    at = end + 1;
    const auto call = line.find("PLANTED ");
    if (line.find("LOG:") == std::string::npos || call == std::string::npos) continue;
    if (line.find(fmt::format("CALLED BY {}", kTenant)) != std::string::npos) continue;
    out.push_back(line.substr(call));
  }
  out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(std::min(after, out.size())));
  return out;
}

}  // namespace pantryd::testing_support
