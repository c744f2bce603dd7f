-- Four roles, each with what it needs and no more:
--
--   grocery_app       reads and writes the shop's six tables, reads the sums
--   grocery_readonly  reads them, but no password hashes
--   grocery_migrate   owns the schema, or is a member of the role that owns it
--   grocery_monitor   pg_monitor, which may connect here, and nothing of the shop's rows
--
-- They can log in but have no password: give each one (\password in psql) or a certificate before
-- use. Roles belong to the whole cluster: one that is there is taken as it is.
-- PUBLIC loses what it had on this database and its schema. So that nothing stops working, every
-- login role of today gets by name what it had through PUBLIC; roles made later get nothing.
-- Whoever runs this without the right to make roles is told what an administrator has to run.
-- migrate:up
-- migrate:no-transaction
-- migrate:allow do-block-not-inspected because GRANT and CREATE ROLE know no IF NOT EXISTS
DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['grocery_app', 'grocery_readonly', 'grocery_migrate',
            'grocery_monitor'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;  -- a migration of another database was first
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'the role % does not exist, and % may not create roles',
                    wanted, current_user USING ERRCODE = 'insufficient_privilege',
                    HINT = 'An administrator runs: CREATE ROLE ' || wanted || ' LOGIN';
        END;
    END LOOP;
    IF NOT pg_has_role('grocery_monitor', 'pg_monitor', 'MEMBER') THEN
        BEGIN
            GRANT pg_monitor TO grocery_monitor;
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION '% may not grant pg_monitor', current_user
                USING ERRCODE = 'insufficient_privilege',
                HINT = 'An administrator runs: GRANT pg_monitor TO grocery_monitor';
        END;
    END IF;
END $roles$;

DO $public$
DECLARE
    login text;
BEGIN
    FOR login IN SELECT rolname FROM pg_roles WHERE rolcanlogin AND NOT rolsuper
            AND rolname NOT LIKE 'grocery\_%' LOOP
        IF has_database_privilege(login, current_database(), 'CONNECT') THEN
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), login);
        END IF;
        IF has_database_privilege(login, current_database(), 'TEMPORARY') THEN
            EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), login);
        END IF;
        IF has_schema_privilege(login, 'public', 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', login);
        END IF;
        IF has_schema_privilege(login, 'public', 'CREATE') THEN
            EXECUTE format('GRANT CREATE ON SCHEMA public TO %I', login);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    -- Whoever may watch the server may look at this database.
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO grocery_app, grocery_readonly, '
        'grocery_migrate, pg_monitor', current_database());
    EXECUTE format('GRANT CREATE, TEMPORARY ON DATABASE %I TO grocery_migrate',
        current_database());
    GRANT USAGE ON SCHEMA public TO grocery_app, grocery_readonly, grocery_migrate;
    GRANT CREATE ON SCHEMA public TO grocery_migrate;
END $public$;

GRANT SELECT, INSERT, UPDATE, DELETE
    ON users, products, sales, expenses, debts, debt_payments TO grocery_app;
GRANT SELECT ON sales_changes, sales_hourly, product_sales, sales_rollup_state,
    stock_corrections TO grocery_app, grocery_readonly;
GRANT SELECT ON products, sales, expenses, debts, debt_payments TO grocery_readonly;
GRANT SELECT (id, username, email, role, is_active, last_login, created_at, updated_at)
    ON users TO grocery_readonly;
GRANT EXECUTE ON FUNCTION sales_summary(timestamptz, timestamptz), daily_sales(date),
    top_products(bigint), search_products(text, bigint) TO grocery_app, grocery_readonly;
GRANT EXECUTE ON FUNCTION sales_rollup_difference() TO grocery_readonly;
GRANT USAGE ON SCHEMA public TO pg_monitor;
GRANT SELECT (id) ON sales_changes TO pg_monitor;  -- to count what waits
GRANT SELECT ON sales_rollup_state TO pg_monitor;

-- Who migrates must own the tables, or be a member of the role that does. When their owner is a
-- superuser, membership would be far too much, so the shop's own tables and functions change hands.
-- One at a time, each in a transaction of its own: two tables locked at once would deadlock with a
-- sale, which locks them in its own order.
CREATE OR REPLACE PROCEDURE grocery_hand_over()
    LANGUAGE plpgsql AS $$
DECLARE
    owner text := (SELECT pg_get_userbyid(relowner) FROM pg_class
        WHERE oid = 'public.sales'::regclass);
    superusers oid[] := ARRAY(SELECT oid FROM pg_roles WHERE rolsuper);
    commands text[];
    command text;
BEGIN
    IF owner <> 'grocery_migrate' AND NOT owner::regrole = ANY (superusers) THEN
        IF NOT pg_has_role('grocery_migrate', owner, 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT %I TO grocery_migrate', owner);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE EXCEPTION '% may not make grocery_migrate a member of %', current_user, owner
                    USING ERRCODE = 'insufficient_privilege',
                    HINT = format('An administrator runs: GRANT %I TO grocery_migrate', owner);
            END;
        END IF;
        RETURN;
    END IF;
    -- Tables before functions, and functions before the triggers that call them: a trigger function
    -- that already runs as grocery_migrate must not meet a table, or a function that PUBLIC may not
    -- execute, that is not its own yet, or sales would fail.
    commands := ARRAY(
        SELECT format('ALTER TABLE %s OWNER TO grocery_migrate', oid::regclass) FROM pg_class
            WHERE relkind = 'r' AND relowner = ANY (superusers)
                AND (relnamespace = to_regnamespace('pantryd')
                    OR relnamespace = 'public'::regnamespace AND relname IN ('users', 'products',
                        'sales', 'expenses', 'debts', 'debt_payments', 'stock_corrections',
                        'sales_changes', 'sales_hourly', 'product_sales', 'sales_rollup_state')))
        || ARRAY(SELECT 'ALTER SCHEMA pantryd OWNER TO grocery_migrate' FROM pg_namespace
            WHERE nspname = 'pantryd' AND nspowner = ANY (superusers))
        || ARRAY(
        SELECT format('ALTER ROUTINE %s OWNER TO grocery_migrate', oid::regprocedure) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND proowner = ANY (superusers)
                AND proname IN ('search_products', 'products_mark_low_stock', 'sales_rollup_fold',
                    'sales_record_insert', 'sales_record_delete', 'sales_record_update',
                    'sales_record_truncate', 'sales_summary', 'daily_sales', 'top_products',
                    'sales_rollup_difference', 'sales_rollup_backfill', 'sales_rollup_rebuild')
            ORDER BY prorettype = 'trigger'::regtype);
    FOREACH command IN ARRAY commands LOOP
        EXECUTE command;
        COMMIT;
    END LOOP;
END $$;
REVOKE ALL ON PROCEDURE grocery_hand_over() FROM PUBLIC;
CALL grocery_hand_over();
DROP PROCEDURE IF EXISTS grocery_hand_over();

-- migrate:down
-- migrate:no-transaction
-- What PUBLIC had is given back; the roles go unless another database needs them.
DO $down$
DECLARE
    name text;
BEGIN
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM pg_monitor', current_database());
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    REVOKE USAGE ON SCHEMA public FROM pg_monitor;
    REVOKE SELECT (id) ON sales_changes FROM pg_monitor;
    REVOKE SELECT ON sales_rollup_state FROM pg_monitor;
    FOREACH name IN ARRAY ARRAY['grocery_app', 'grocery_readonly', 'grocery_migrate',
            'grocery_monitor'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name);
        IF name = 'grocery_migrate' THEN
            EXECUTE format('REASSIGN OWNED BY %I TO CURRENT_USER', name);
        END IF;
        EXECUTE format('DROP OWNED BY %I', name);
        BEGIN
            EXECUTE format('DROP ROLE %I', name);
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            RAISE NOTICE 'the role % stays: other databases use it', name;
        END;
    END LOOP;
END $down$;
