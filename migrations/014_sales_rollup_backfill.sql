-- Adds what was sold before 013 to the sums, some hours at a time, while the shop is open. Nothing is
-- locked and nothing waits: because sums + changes = sales in every snapshot, the sales of an hour
-- less the changes of that hour are what the hour held before the trigger, however often it has been
-- written since. A batch and its mark in sales_rollup_state are one transaction, so a run that was
-- cut off goes on behind the last batch.
-- The procedure stays: sales_rollup_rebuild() uses it, for the day somebody wrote past the triggers.
-- migrate:up
-- migrate:no-transaction
-- migrate:statement-timeout 24h
CREATE OR REPLACE PROCEDURE sales_rollup_backfill(batch_rows bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    state public.sales_rollup_state;
    first_hour timestamptz;
    end_hour timestamptz;
BEGIN
    LOOP
        SELECT * INTO state FROM public.sales_rollup_state FOR UPDATE;
        IF state.complete THEN
            COMMIT;
            RETURN;
        END IF;
        IF state.backfill_end IS NULL THEN
            state.backfill_end := coalesce(
                (SELECT date_trunc('hour', greatest(
                        (SELECT max(created_at) FROM public.sales),
                        (SELECT max(hour) FROM public.sales_changes)), 'UTC')
                    + interval '1 hour'), '-infinity');
        END IF;
        first_hour := state.backfilled_to;
        IF first_hour >= state.backfill_end THEN
            UPDATE public.sales_rollup_state SET complete = true;
            COMMIT;
            RETURN;
        END IF;
        end_hour := least(state.backfill_end, (SELECT date_trunc('hour', created_at, 'UTC')
            + interval '1 hour' FROM public.sales WHERE created_at >= first_hour
            ORDER BY created_at OFFSET batch_rows LIMIT 1));
        WITH held AS (
            SELECT hour, payment_method, status, product_id, product_name,
                sum(sales)::bigint AS sales, sum(quantity)::bigint AS quantity, sum(total) AS total
            FROM (SELECT date_trunc('hour', created_at, 'UTC') AS hour, payment_method,
                    coalesce(status, '') AS status, product_id, product_name, 1::bigint AS sales,
                    quantity::bigint, total
                FROM public.sales WHERE created_at >= first_hour AND created_at < end_hour
                UNION ALL
                SELECT hour, payment_method, status, product_id, product_name, -sales,
                    -quantity, -total
                FROM public.sales_changes WHERE hour >= first_hour AND hour < end_hour) AS parts
            GROUP BY hour, payment_method, status, product_id, product_name
            HAVING sum(sales) <> 0 OR sum(quantity) <> 0 OR sum(total) <> 0
        ), by_hour AS (
            INSERT INTO public.sales_hourly AS sums
                SELECT hour, payment_method, status, sum(sales), sum(quantity), sum(total)
                FROM held GROUP BY hour, payment_method, status
                ON CONFLICT (hour, payment_method, status) DO UPDATE SET
                    sales = sums.sales + excluded.sales,
                    quantity = sums.quantity + excluded.quantity,
                    total = sums.total + excluded.total
        )
        INSERT INTO public.product_sales AS sums
            SELECT product_id, product_name, sum(sales), sum(quantity), sum(total)
            FROM held GROUP BY product_id, product_name
            ON CONFLICT (product_id, product_name) DO UPDATE SET
                sales = sums.sales + excluded.sales,
                quantity = sums.quantity + excluded.quantity,
                total = sums.total + excluded.total;
        UPDATE public.sales_rollup_state
            SET backfilled_to = end_hour, backfill_end = state.backfill_end;
        COMMIT;
    END LOOP;
END $$;

CREATE OR REPLACE PROCEDURE sales_rollup_rebuild()
    LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE public.sales IN SHARE ROW EXCLUSIVE MODE;
    TRUNCATE public.sales_changes, public.sales_hourly, public.product_sales;
    UPDATE public.sales_rollup_state
        SET complete = false, backfilled_to = '-infinity', backfill_end = NULL;
    COMMIT;
    CALL public.sales_rollup_backfill(5000);
END $$;
REVOKE ALL ON PROCEDURE sales_rollup_backfill(bigint), sales_rollup_rebuild() FROM PUBLIC;
CALL sales_rollup_backfill(5000);
ANALYZE sales_hourly, product_sales;

-- migrate:down
-- migrate:no-transaction
-- What is in the sums stays there: 013 takes them away.
DROP PROCEDURE IF EXISTS sales_rollup_rebuild();
DROP PROCEDURE IF EXISTS sales_rollup_backfill(bigint);
