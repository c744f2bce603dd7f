// The statement itself; query.h says what its lines hold.
#include "migrate/catalogue/query.h"

namespace pantryd::migrate {

const char* const kCatalogueQuery = R"(
WITH ns AS (SELECT oid FROM pg_namespace WHERE nspname = $1),
foreign_members AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
knex_table AS (
  SELECT c.oid FROM pg_class c JOIN ns ON c.relnamespace = ns.oid
  WHERE c.relname IN ('knex_migrations', 'knex_migrations_lock') AND c.relkind IN ('r', 'p')),
knex AS (
  SELECT oid FROM knex_table UNION ALL
  SELECT objid FROM pg_depend d JOIN knex_table k ON k.oid = d.refobjid
  WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
    AND d.deptype IN ('a', 'i')),
rel AS (
  SELECT c.*, format('%I', c.relname) AS n FROM pg_class c JOIN ns ON c.relnamespace = ns.oid
  WHERE c.oid NOT IN (SELECT oid FROM knex)
    AND NOT EXISTS (SELECT 1 FROM foreign_members m
                    WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid)),
line(text) AS (
  SELECT format(E'schema public\x01 owner %s acl %s\x02', pg_get_userbyid(nspowner), nspacl)
  FROM pg_namespace WHERE nspname = $1
  UNION ALL SELECT format('extension %s in %s', extname, extnamespace::regnamespace)
  FROM pg_extension
  UNION ALL
  SELECT format(E'%s %s\x01 owner %s\x02%s%s%s%s%s%s%s',
                CASE relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view'
                     WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
                     WHEN 'c' THEN 'composite type' ELSE relkind::text END,
                n, pg_get_userbyid(relowner), CASE WHEN relpersistence = 'u' THEN ' unlogged' END,
                ' options ' || reloptions::text,
                E'\x01 acl ' || nullif(relacl::text, acldefault('r', relowner)::text) || E'\x02',
                CASE WHEN relrowsecurity THEN ' row security' END,
                CASE WHEN relforcerowsecurity THEN ' forced' END,
                CASE WHEN relkind = 'p' THEN ' partition by ' || pg_get_partkeydef(oid) END,
                CASE WHEN relispartition THEN ' partition ' || pg_get_expr(relpartbound, oid) END)
  FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  UNION ALL
  SELECT format('table %s inherits %s', rel.n, i.inhparent::regclass)
  FROM pg_inherits i JOIN rel ON rel.oid = i.inhrelid WHERE rel.relkind IN ('r', 'p', 'f')
  UNION ALL
  SELECT format('column %s.%I %s%s%s%s%s%s%s%s%s%s%s', rel.n, a.attname,
                format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attnotnull THEN ' not null' END,
                CASE WHEN a.attgenerated = '' THEN ' default ' ELSE ' generated ' END
                  || pg_get_expr(d.adbin, d.adrelid),
                ' identity ' || nullif(a.attidentity::text, ''),
                ' collate ' || nullif(a.attcollation, t.typcollation)::regcollation::text,
                ' storage ' || nullif(a.attstorage, t.typstorage)::text,
                ' compression ' || nullif(a.attcompression::text, ''),
                ' statistics ' || nullif(coalesce(a.attstattarget, -1), -1),
                ' options ' || nullif(
                  array(SELECT o FROM unnest(a.attoptions) WITH ORDINALITY u(o, i)
                        WHERE NOT starts_with(o, 'pg_') ORDER BY i), '{}')::text,
                E'\x01 acl ' || a.attacl::text || E'\x02',
                E'\x03 after ' || lag(a.attname) OVER (PARTITION BY a.attrelid ORDER BY a.attnum)
                  || E'\x04')
  FROM rel JOIN pg_attribute a ON a.attrelid = rel.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = rel.oid AND d.adnum = a.attnum
  WHERE rel.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
  UNION ALL
  SELECT format('view %s as %s', n, pg_get_viewdef(oid)) FROM rel WHERE relkind IN ('v', 'm')
  UNION ALL
  SELECT format(E'sequence %s\x01 owner %s acl %s\x02 type %s start %s step %s min %s max %s'
                  ' cache %s%s',
                rel.n, pg_get_userbyid(rel.relowner),
                nullif(rel.relacl::text, acldefault('s', rel.relowner)::text),
                s.seqtypid::regtype, s.seqstart,
                s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
                CASE WHEN s.seqcycle THEN ' cycle' END)
  FROM pg_sequence s JOIN rel ON rel.oid = s.seqrelid
  UNION ALL
  SELECT format('constraint %s on %s %s%s', k.conname,
                coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text),
                pg_get_constraintdef(k.oid), CASE WHEN k.convalidated THEN '' ELSE ' unproved' END)
  FROM pg_constraint k JOIN ns ON k.connamespace = ns.oid
  WHERE k.contype <> 'n' AND (k.conrelid = 0 OR k.conrelid IN (SELECT oid FROM rel))
  UNION ALL
  SELECT format('index %s%s%s%s%s', pg_get_indexdef(i.indexrelid),
                CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END,
                CASE WHEN i.indisreplident THEN ' replica identity' END,
                CASE WHEN i.indisclustered THEN ' clustered' END,
                ' options ' || c.reloptions::text)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  WHERE i.indrelid IN (SELECT oid FROM rel)
  UNION ALL
  SELECT format('trigger on %s enabled %s %s', rel.n, g.tgenabled, pg_get_triggerdef(g.oid))
  FROM pg_trigger g JOIN rel ON rel.oid = g.tgrelid WHERE NOT g.tgisinternal
  UNION ALL
  SELECT format('rule on %s enabled %s %s', rel.n, u.ev_enabled, pg_get_ruledef(u.oid))
  FROM pg_rewrite u JOIN rel ON rel.oid = u.ev_class WHERE u.rulename <> '_RETURN'
  UNION ALL
  SELECT format('policy %I on %s %s for %s to %s using %s check %s', p.polname, rel.n,
                CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, p.polcmd,
                (SELECT string_agg(CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r) END, ',')
                 FROM unnest(p.polroles) r),
                pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  FROM pg_policy p JOIN rel ON rel.oid = p.polrelid
  UNION ALL
  SELECT format('statistics %s', pg_get_statisticsobjdef(e.oid))
  FROM pg_statistic_ext e JOIN ns ON e.stxnamespace = ns.oid
  UNION ALL
  SELECT format(E'function %s(%s)\x01 owner %s acl %s\x02 %s', p.proname,
                pg_get_function_identity_arguments(p.oid), pg_get_userbyid(p.proowner),
                nullif(p.proacl::text, acldefault('f', p.proowner)::text),
                CASE WHEN p.prokind = 'a'
                     THEN 'aggregate ' || (SELECT format('%s %s %s %s', g.aggtransfn, g.aggfinalfn,
                            g.aggtranstype::regtype, g.agginitval)
                            FROM pg_aggregate g WHERE g.aggfnoid = p.oid)
                     ELSE pg_get_functiondef(p.oid) END)
  FROM pg_proc p JOIN ns ON p.pronamespace = ns.oid
  WHERE NOT EXISTS (SELECT 1 FROM foreign_members m
                    WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
  UNION ALL
  SELECT format(E'type %I kind %s\x01 owner %s acl %s\x02%s%s', t.typname, t.typtype,
                pg_get_userbyid(t.typowner),
                nullif(t.typacl::text, acldefault('T', t.typowner)::text),
                ' labels ' || (SELECT string_agg(quote_literal(e.enumlabel), ','
                                                 ORDER BY e.enumsortorder)
                               FROM pg_enum e WHERE e.enumtypid = t.oid),
                CASE WHEN t.typtype = 'd' THEN format(' of %s%s default %s',
                       format_type(t.typbasetype, t.typtypmod),
                       CASE WHEN t.typnotnull THEN ' not null' END, t.typdefault) END)
  FROM pg_type t JOIN ns ON t.typnamespace = ns.oid
  WHERE t.typtype IN ('e', 'd', 'r') AND NOT EXISTS (SELECT 1 FROM foreign_members m
                    WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid)
)
SELECT replace(replace(text, '\', '\\'), E'\n', '\n') FROM line
)";

}  // namespace pantryd::migrate
