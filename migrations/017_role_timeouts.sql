-- How long a statement may run, wait for a lock, and leave a transaction open, by role. The numbers
-- are the application's own: it gives up on a connection after 60 s, so nothing of it needs to run
-- longer than half of that, and a till that waits 5 s for a lock has lost its customer.
-- They hold for these roles in this database only. The settings of a role count for whoever logs in
-- as it, not for its members.
-- migrate:up
-- migrate:allow do-block-not-inspected because ALTER ROLE IN DATABASE takes no expression
DO $timeouts$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES
            ('grocery_app', 'statement_timeout', '30s'),
            ('grocery_app', 'lock_timeout', '5s'),
            ('grocery_app', 'idle_in_transaction_session_timeout', '60s'),
            ('grocery_readonly', 'statement_timeout', '60s'),
            ('grocery_readonly', 'lock_timeout', '2s'),
            ('grocery_readonly', 'idle_in_transaction_session_timeout', '60s'),
            ('grocery_readonly', 'default_transaction_read_only', 'on'),
            ('grocery_migrate', 'lock_timeout', '2s'),
            ('grocery_migrate', 'idle_in_transaction_session_timeout', '10min'),
            ('grocery_monitor', 'statement_timeout', '5s'),
            ('grocery_monitor', 'lock_timeout', '100ms'),
            ('grocery_monitor', 'idle_in_transaction_session_timeout', '10s')
        ) AS timeouts (role, setting, value)
    LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_db_role_setting s
            WHERE s.setrole = wanted.role::regrole
                AND s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND format('%s=%s', wanted.setting, wanted.value) = ANY (s.setconfig));
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET %I = %L', wanted.role,
            current_database(), wanted.setting, wanted.value);
    END LOOP;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION '% may not change the settings of the role %', current_user, wanted.role
        USING ERRCODE = 'insufficient_privilege',
        HINT = format('An administrator runs: ALTER ROLE %I IN DATABASE %I SET %I = %L',
            wanted.role, current_database(), wanted.setting, wanted.value);
END $timeouts$;

-- migrate:down
DO $timeouts$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['grocery_app', 'grocery_readonly', 'grocery_migrate',
            'grocery_monitor'] LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name);
        EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', name, current_database());
    END LOOP;
END $timeouts$;
