-- A sale reads the stock and then decrements it without a lock, so two tills can sell the same
-- last piece. From here on the second one is refused (SQLSTATE 23514) and its transaction undone.
-- What was oversold before is not lost: the deficit moves into stock_corrections, for the next
-- stock-taking, and the stock becomes 0. That happens twice, because the constraint is checked for
-- new rows only from the second on; then VALIDATE reads all rows while sales go on.
-- migrate:up
-- migrate:no-transaction
-- migrate:statement-timeout 24h
CREATE TABLE IF NOT EXISTS stock_corrections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id uuid NOT NULL,
    oversold integer NOT NULL CONSTRAINT stock_corrections_oversold_check CHECK (oversold > 0),
    corrected_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE OR REPLACE PROCEDURE products_settle_oversold()
    LANGUAGE plpgsql AS $$
DECLARE
    rounds int := 0;
BEGIN
    LOOP
        WITH oversold AS (
            SELECT id, stock FROM public.products WHERE stock < 0
            LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED
        ), settled AS (
            UPDATE public.products SET stock = 0, updated_at = CURRENT_TIMESTAMP
                FROM oversold WHERE products.id = oversold.id
        )
        INSERT INTO public.stock_corrections (product_id, oversold)
            SELECT id, -stock FROM oversold;
        COMMIT;
        EXIT WHEN NOT EXISTS (SELECT FROM public.products WHERE stock < 0);
        rounds := rounds + 1;
        IF rounds > 100000 THEN
            RAISE EXCEPTION 'oversold products stay locked by other sessions'
                USING HINT = 'End the transactions that hold them, then run migrate up again.';
        END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
REVOKE ALL ON PROCEDURE products_settle_oversold() FROM PUBLIC;
CALL products_settle_oversold();
ALTER TABLE products
    ADD CONSTRAINT products_stock_not_negative CHECK (stock >= 0) NOT VALID;
CALL products_settle_oversold();
ALTER TABLE products VALIDATE CONSTRAINT products_stock_not_negative;
DROP PROCEDURE IF EXISTS products_settle_oversold();

-- migrate:down
-- migrate:no-transaction
ALTER TABLE products DROP CONSTRAINT IF EXISTS products_stock_not_negative;
DROP TABLE IF EXISTS stock_corrections;
