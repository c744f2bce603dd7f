-- Search asks for '%term%' in name, description and barcode. No btree can answer that, so every
-- search read every product: 1.1 to 1.3 s at a million. One GIN index on trigrams of all three
-- columns answers it (and every subset of them) for terms of three letters and more.
-- New entries wait in a list that a later insert merges; 256 kB of it keep that pause short.
-- migrate:up
-- migrate:no-transaction
-- migrate:statement-timeout 24h
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_search_index ON products
    USING gin (name gin_trgm_ops, description gin_trgm_ops, barcode gin_trgm_ops)
    WITH (gin_pending_list_limit = 256);

-- The first products by name that match. For few matches the trigrams are best: collect them, sort.
-- For many, walking the names in order meets enough of them soon. The planner cannot tell, because
-- it does not know where in the alphabet they stand, and a generic plan not even how many there are:
-- a term that matches nothing then read a million names in 2 s, or every row in 1 s.
CREATE OR REPLACE FUNCTION search_products(term text, most bigint) RETURNS SETOF products
    LANGUAGE plpgsql STABLE
    SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan
    SET enable_seqscan = off SET work_mem = '32MB'
AS $$
DECLARE
    few constant bigint := 50000;
    pattern text := '%' || regexp_replace(term, '([\\%_])', '\\\1', 'g') || '%';
BEGIN
    RETURN QUERY
        WITH found AS MATERIALIZED (
            SELECT p.* FROM products p
            WHERE p.name ILIKE pattern OR p.description ILIKE pattern OR p.barcode ILIKE pattern
            LIMIT few + 1
        )
        SELECT * FROM found f WHERE (SELECT count(*) FROM found) <= few
        ORDER BY f.name, f.id LIMIT most;
    IF FOUND OR NOT EXISTS (SELECT FROM products p
            WHERE p.name ILIKE pattern OR p.description ILIKE pattern OR p.barcode ILIKE pattern) THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT p.* FROM products p
        WHERE p.name ILIKE pattern OR p.description ILIKE pattern OR p.barcode ILIKE pattern
        ORDER BY p.name, p.id LIMIT most;
END $$;
REVOKE ALL ON FUNCTION search_products(text, bigint) FROM PUBLIC;

-- migrate:down
-- migrate:no-transaction
DROP FUNCTION IF EXISTS search_products(text, bigint);
DROP INDEX CONCURRENTLY IF EXISTS products_search_index;
DROP EXTENSION IF EXISTS pg_trgm;
