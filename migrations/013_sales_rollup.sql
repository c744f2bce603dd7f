-- Top products and summaries read every sale: 9.8 s and 0.6 s at three million. Here are their sums,
-- kept right by the database itself, whatever client writes.
--
--   sales_changes   what was added to or taken from sales and is not in the sums yet
--   sales_hourly    sums of an hour (UTC), a payment method and a status
--   product_sales   sums of a product under a name
--
-- What always holds, in every snapshot: sums + changes = sales. A trigger writes a change in the
-- transaction of the sale, so it is committed, cancelled or rolled back with it. It only appends, and
-- so no sale waits for another one (a sum updated in place would be one row that all tills queue
-- for, and that deadlocks with the rows of products). Every 512th change folds the oldest 2,048 into
-- the sums; who folds holds an advisory lock that nobody waits for. Readers add both.
--
-- Hours are UTC, so that days of every time zone with whole hours can be summed from them and no
-- session's TimeZone changes what is written. '' stands for a status that is NULL.
-- What was sold before this migration is added by the next one; until then the functions below read
-- the sales themselves, so their answers are right from the first moment.
-- migrate:up
-- migrate:allow prefer-text because the names have the limits that they have in sales
CREATE TABLE sales_changes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hour timestamptz NOT NULL,
    payment_method text NOT NULL,
    status text NOT NULL,
    product_id uuid NOT NULL,
    product_name varchar(100) NOT NULL,
    sales bigint NOT NULL,
    quantity bigint NOT NULL,
    total numeric NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);
CREATE INDEX sales_changes_hour_index ON sales_changes (hour);

CREATE TABLE sales_hourly (
    hour timestamptz NOT NULL,
    payment_method text NOT NULL,
    status text NOT NULL,
    sales bigint NOT NULL,
    quantity bigint NOT NULL,
    total numeric NOT NULL,
    PRIMARY KEY (hour, payment_method, status)
) WITH (fillfactor = 70);

CREATE TABLE product_sales (
    product_id uuid NOT NULL,
    product_name varchar(100) NOT NULL,
    sales bigint NOT NULL,
    quantity bigint NOT NULL,
    total numeric NOT NULL,
    PRIMARY KEY (product_id, product_name)
) WITH (fillfactor = 80);
CREATE INDEX product_sales_quantity_index ON product_sales (quantity DESC, product_id);

-- One row. Hours before backfilled_to are in the sums as far as they were sold before the trigger.
CREATE TABLE sales_rollup_state (
    one boolean PRIMARY KEY DEFAULT true CONSTRAINT sales_rollup_state_one_check CHECK (one),
    complete boolean NOT NULL DEFAULT false,
    backfilled_to timestamptz NOT NULL DEFAULT '-infinity',
    backfill_end timestamptz
);
INSERT INTO sales_rollup_state DEFAULT VALUES;

-- Folds up to `most` changes into the sums and returns how many it folded: 0 when another session
-- does so, when the backfill is not complete, or when the transaction could fail for it.
CREATE FUNCTION sales_rollup_fold(most bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    folded bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed'
        OR NOT pg_try_advisory_xact_lock(hashtextextended('pantryd.sales_rollup', 0))
        OR NOT (SELECT complete FROM public.sales_rollup_state) THEN
        RETURN 0;
    END IF;
    WITH taken AS (
        DELETE FROM public.sales_changes
            WHERE id IN (SELECT id FROM public.sales_changes ORDER BY id LIMIT most)
            RETURNING *
    ), by_hour AS (
        INSERT INTO public.sales_hourly AS sums
            SELECT hour, payment_method, status, sum(sales), sum(quantity), sum(total)
            FROM taken GROUP BY hour, payment_method, status
            ON CONFLICT (hour, payment_method, status) DO UPDATE SET
                sales = sums.sales + excluded.sales,
                quantity = sums.quantity + excluded.quantity,
                total = sums.total + excluded.total
    ), by_product AS (
        INSERT INTO public.product_sales AS sums
            SELECT product_id, product_name, sum(sales), sum(quantity), sum(total)
            FROM taken GROUP BY product_id, product_name
            ON CONFLICT (product_id, product_name) DO UPDATE SET
                sales = sums.sales + excluded.sales,
                quantity = sums.quantity + excluded.quantity,
                total = sums.total + excluded.total
    )
    SELECT count(*) INTO folded FROM taken;
    RETURN folded;
END $$;

CREATE FUNCTION sales_record_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last bigint;
    count bigint;
BEGIN
    WITH written AS (
        INSERT INTO public.sales_changes
                (hour, payment_method, status, product_id, product_name, sales, quantity, total)
            SELECT date_trunc('hour', created_at, 'UTC'), payment_method, coalesce(status, ''),
                product_id, product_name, count(*), sum(quantity), sum(total)
            FROM added GROUP BY 1, 2, 3, 4, 5
            RETURNING id
    )
    SELECT max(id), count(*) INTO last, count FROM written;
    IF last / 512 <> (last - count) / 512 THEN
        PERFORM public.sales_rollup_fold(2048);
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION sales_record_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.sales_changes
            (hour, payment_method, status, product_id, product_name, sales, quantity, total)
        SELECT date_trunc('hour', created_at, 'UTC'), payment_method, coalesce(status, ''),
            product_id, product_name, -count(*), -sum(quantity), -sum(total)
        FROM removed GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END $$;

CREATE FUNCTION sales_record_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.sales_changes
            (hour, payment_method, status, product_id, product_name, sales, quantity, total)
        VALUES (date_trunc('hour', OLD.created_at, 'UTC'), OLD.payment_method,
                coalesce(OLD.status, ''), OLD.product_id, OLD.product_name,
                -1, -OLD.quantity, -OLD.total),
            (date_trunc('hour', NEW.created_at, 'UTC'), NEW.payment_method,
                coalesce(NEW.status, ''), NEW.product_id, NEW.product_name,
                1, NEW.quantity, NEW.total);
    RETURN NULL;
END $$;

CREATE FUNCTION sales_record_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    TRUNCATE public.sales_changes, public.sales_hourly, public.product_sales;
    UPDATE public.sales_rollup_state SET complete = true;
    RETURN NULL;
END $$;

-- Whole hours come from the sums, the hours that the range cuts from the sales themselves.
-- NULL stands for no bound.
CREATE FUNCTION sales_summary(since timestamptz, until timestamptz)
    RETURNS TABLE (sales bigint, total numeric, average numeric,
        cash numeric, mpesa numeric, debt numeric)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low timestamptz := coalesce(since, '-infinity');
    high timestamptz := coalesce(until, 'infinity');
    first_hour timestamptz := date_trunc('hour', low, 'UTC');
    end_hour timestamptz := date_trunc('hour', high, 'UTC');
BEGIN
    IF first_hour < low THEN
        first_hour := first_hour + interval '1 hour';
    END IF;
    IF first_hour > high OR NOT (SELECT s.complete FROM public.sales_rollup_state s) THEN
        first_hour := high;
    END IF;
    end_hour := greatest(end_hour, first_hour);
    RETURN QUERY
        WITH parts (method, n, amount) AS (
            SELECT h.payment_method, h.sales, h.total FROM public.sales_hourly h
                WHERE h.hour >= first_hour AND h.hour < end_hour
            UNION ALL
            SELECT c.payment_method, c.sales, c.total FROM public.sales_changes c
                WHERE c.hour >= first_hour AND c.hour < end_hour
            UNION ALL
            SELECT s.payment_method, 1, s.total FROM public.sales s
                WHERE s.created_at >= low AND s.created_at < first_hour
            UNION ALL
            SELECT s.payment_method, 1, s.total FROM public.sales s
                WHERE s.created_at >= end_hour AND s.created_at < high
        )
        SELECT coalesce(sum(p.n), 0)::bigint, sum(p.amount),
            sum(p.amount) / nullif(sum(p.n), 0),
            coalesce(sum(p.amount) FILTER (WHERE p.method = 'cash'), 0),
            coalesce(sum(p.amount) FILTER (WHERE p.method = 'mpesa'), 0),
            coalesce(sum(p.amount) FILTER (WHERE p.method = 'debt'), 0)
        FROM parts p;
END $$;

-- The days from `since` on, in the session's time zone, as DATE(created_at) gives them. A zone that
-- is off by a part of an hour is answered from the sales.
CREATE FUNCTION daily_sales(since date) RETURNS TABLE (day date, sales bigint, total numeric)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF extract(epoch FROM since::timestamptz)::bigint % 3600 = 0
        AND extract(timezone_minute FROM now()) = 0
        AND (SELECT s.complete FROM public.sales_rollup_state s) THEN
        RETURN QUERY
            WITH parts (hour, n, amount) AS (
                SELECT h.hour, h.sales, h.total FROM public.sales_hourly h WHERE h.hour >= since
                UNION ALL
                SELECT c.hour, c.sales, c.total FROM public.sales_changes c WHERE c.hour >= since
            )
            SELECT p.hour::date, sum(p.n)::bigint, sum(p.amount) FROM parts p
            GROUP BY p.hour::date HAVING sum(p.n) <> 0 ORDER BY p.hour::date;
    ELSE
        RETURN QUERY
            SELECT s.created_at::date, count(*), sum(s.total) FROM public.sales s
            WHERE s.created_at >= since GROUP BY s.created_at::date ORDER BY s.created_at::date;
    END IF;
END $$;

-- The products sold most, over all sales. Those with changes are few and are added up; of the others
-- the first ones of the index are enough.
CREATE FUNCTION top_products(most bigint)
    RETURNS TABLE (product_name varchar, product_id uuid, quantity bigint, total numeric,
        sales bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT (SELECT s.complete FROM public.sales_rollup_state s) THEN
        RETURN QUERY
            SELECT s.product_name, s.product_id, sum(s.quantity), sum(s.total), count(*)
            FROM public.sales s GROUP BY s.product_name, s.product_id
            ORDER BY sum(s.quantity) DESC, s.product_id LIMIT most;
        RETURN;
    END IF;
    RETURN QUERY
        WITH changed AS MATERIALIZED (
            SELECT c.product_name, c.product_id, sum(c.quantity)::bigint AS quantity,
                sum(c.total) AS total, sum(c.sales)::bigint AS sales
            FROM public.sales_changes c GROUP BY c.product_name, c.product_id
        ), settled AS (
            SELECT p.product_name, p.product_id, p.quantity, p.total, p.sales
            FROM public.product_sales p
            WHERE (p.product_id, p.product_name) NOT IN
                    (SELECT c.product_id, c.product_name FROM changed c)
                AND p.sales <> 0
            ORDER BY p.quantity DESC, p.product_id LIMIT most
        ), moved AS (
            SELECT c.product_name, c.product_id, c.quantity + coalesce(p.quantity, 0),
                c.total + coalesce(p.total, 0), c.sales + coalesce(p.sales, 0) AS sales
            FROM changed c LEFT JOIN public.product_sales p
                ON p.product_id = c.product_id AND p.product_name = c.product_name
        )
        SELECT * FROM settled UNION ALL SELECT * FROM moved m WHERE m.sales <> 0
        ORDER BY 3 DESC, 2 LIMIT most;
END $$;

-- Where the sums and the sales differ: no row, or something wrote past the triggers
-- (session_replication_role, ALTER TABLE ... DISABLE TRIGGER). Reads everything.
CREATE FUNCTION sales_rollup_difference()
    RETURNS TABLE (what text, sales bigint, quantity bigint, total numeric)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH hours AS (
        SELECT hour, payment_method, status, sum(sales) AS s, sum(quantity) AS q, sum(total) AS t
        FROM (SELECT hour, payment_method, status, sales, quantity, total FROM public.sales_hourly
            UNION ALL
            SELECT hour, payment_method, status, sales, quantity, total FROM public.sales_changes
            UNION ALL
            SELECT date_trunc('hour', created_at, 'UTC'), payment_method, coalesce(status, ''),
                -1, -quantity, -total FROM public.sales) AS everything
        GROUP BY hour, payment_method, status
    ), products AS (
        SELECT product_id, product_name, sum(sales) AS s, sum(quantity) AS q, sum(total) AS t
        FROM (SELECT product_id, product_name, sales, quantity, total FROM public.product_sales
            UNION ALL
            SELECT product_id, product_name, sales, quantity, total FROM public.sales_changes
            UNION ALL
            SELECT product_id, product_name, -1, -quantity, -total FROM public.sales) AS everything
        GROUP BY product_id, product_name
    )
    SELECT concat_ws(' ', hour, payment_method, status), s::bigint, q::bigint, t FROM hours
        WHERE s <> 0 OR q <> 0 OR t <> 0
    UNION ALL
    SELECT concat_ws(' ', product_id, product_name), s::bigint, q::bigint, t FROM products
        WHERE s <> 0 OR q <> 0 OR t <> 0
$$;

REVOKE ALL ON FUNCTION sales_rollup_fold(bigint), sales_record_insert(), sales_record_delete(),
    sales_record_update(), sales_record_truncate(), sales_summary(timestamptz, timestamptz),
    daily_sales(date), top_products(bigint), sales_rollup_difference() FROM PUBLIC;

CREATE TRIGGER sales_rollup_insert AFTER INSERT ON sales
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION sales_record_insert();
CREATE TRIGGER sales_rollup_delete AFTER DELETE ON sales
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION sales_record_delete();
CREATE TRIGGER sales_rollup_update AFTER UPDATE ON sales FOR EACH ROW
    WHEN ((OLD.created_at, OLD.payment_method, OLD.status, OLD.product_id, OLD.product_name,
            OLD.quantity, OLD.total)
        IS DISTINCT FROM (NEW.created_at, NEW.payment_method, NEW.status, NEW.product_id,
            NEW.product_name, NEW.quantity, NEW.total))
    EXECUTE FUNCTION sales_record_update();
CREATE TRIGGER sales_rollup_truncate AFTER TRUNCATE ON sales
    FOR EACH STATEMENT EXECUTE FUNCTION sales_record_truncate();

-- migrate:down
DROP TRIGGER sales_rollup_truncate ON sales;
DROP TRIGGER sales_rollup_update ON sales;
DROP TRIGGER sales_rollup_delete ON sales;
DROP TRIGGER sales_rollup_insert ON sales;
DROP FUNCTION sales_rollup_difference();
DROP FUNCTION top_products(bigint);
DROP FUNCTION daily_sales(date);
DROP FUNCTION sales_summary(timestamptz, timestamptz);
DROP FUNCTION sales_record_truncate();
DROP FUNCTION sales_record_update();
DROP FUNCTION sales_record_delete();
DROP FUNCTION sales_record_insert();
DROP FUNCTION sales_rollup_fold(bigint);
DROP TABLE sales_rollup_state;
DROP TABLE product_sales;
DROP TABLE sales_hourly;
DROP TABLE sales_changes;
