-- The shop's schema as one text a line: columns in order, constraints and indexes by name.
SELECT line FROM (
  SELECT c.relname AS t, 1 AS kind, a.attnum::int AS n, '' AS name,
         format('%s column %s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attnotnull THEN ' not null' ELSE '' END,
                coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')) AS line
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND c.relname IN ('users', 'products', 'sales', 'expenses', 'debts', 'debt_payments')
  UNION ALL
  SELECT r.relname, 2, 0, k.conname,
         format('%s constraint %s %s', r.relname, k.conname, pg_get_constraintdef(k.oid))
  FROM pg_constraint k JOIN pg_class r ON r.oid = k.conrelid
  WHERE r.relnamespace = 'public'::regnamespace AND k.contype <> 'n'
    AND r.relname IN ('users', 'products', 'sales', 'expenses', 'debts', 'debt_payments')
  UNION ALL
  SELECT tablename, 3, 0, indexname, format('%s index %s', tablename, indexdef)
  FROM pg_indexes WHERE schemaname = 'public'
    AND tablename IN ('users', 'products', 'sales', 'expenses', 'debts', 'debt_payments')
) lines ORDER BY t COLLATE "C", kind, n, name COLLATE "C";
