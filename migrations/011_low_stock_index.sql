-- Marks the products that ran low before 010 and makes the partial index on them. Then
-- products_stock_index goes: it held all products to find a few, and it forbade HOT updates.
-- A batch is a range of pages in a transaction of its own. A row that somebody holds is left for
-- the next round, so that no sale waits for a batch, and none can deadlock with it.
-- migrate:up
-- migrate:no-transaction
-- migrate:statement-timeout 24h
CREATE OR REPLACE PROCEDURE products_mark_low_stock_now()
    LANGUAGE plpgsql AS $$
DECLARE
    pages_per_batch constant bigint := 500;
    pages bigint;
    page bigint;
    rounds int := 0;
BEGIN
    LOOP
        pages := pg_relation_size('public.products') / current_setting('block_size')::bigint;
        page := 0;
        WHILE page <= pages LOOP
            UPDATE public.products SET low_stock = true
                WHERE id IN (SELECT id FROM public.products
                    WHERE ctid >= format('(%s,0)', page)::tid
                        AND ctid < format('(%s,0)', page + pages_per_batch)::tid
                        AND stock <= min_stock AND NOT low_stock
                    FOR NO KEY UPDATE SKIP LOCKED);
            COMMIT;
            page := page + pages_per_batch;
        END LOOP;
        EXIT WHEN NOT EXISTS (SELECT FROM public.products
            WHERE stock <= min_stock AND NOT low_stock);
        rounds := rounds + 1;
        IF rounds > 1000 THEN
            RAISE EXCEPTION 'products at or below their minimum stay locked by other sessions'
                USING HINT = 'End the transactions that hold them, then run migrate up again.';
        END IF;
        PERFORM pg_sleep(0.2);
    END LOOP;
END $$;
REVOKE ALL ON PROCEDURE products_mark_low_stock_now() FROM PUBLIC;
CALL products_mark_low_stock_now();
DROP PROCEDURE IF EXISTS products_mark_low_stock_now();
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_low_stock_index ON products (id) WHERE low_stock;
DROP INDEX CONCURRENTLY IF EXISTS products_stock_index;

-- migrate:down
-- migrate:no-transaction
-- migrate:statement-timeout 24h
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_stock_index ON products (stock);
DROP INDEX CONCURRENTLY IF EXISTS products_low_stock_index;
