-- Lists are read page by page: "the next 50 after the last one I showed", which costs the same for
-- the first page and the last. That takes an index in the order of the list with a unique column
-- at its end, or rows with equal keys would be shown twice or never. Each new index begins with
-- the column of one that was there, so it replaces that one and writes cost what they did.
-- migrate:up
-- migrate:no-transaction
-- migrate:statement-timeout 24h
CREATE INDEX CONCURRENTLY IF NOT EXISTS sales_created_at_id_index ON sales (created_at, id);
DROP INDEX CONCURRENTLY IF EXISTS sales_created_at_index;
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_name_id_index ON products (name, id);
DROP INDEX CONCURRENTLY IF EXISTS products_name_index;
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_category_name_id_index
    ON products (category, name, id);
DROP INDEX CONCURRENTLY IF EXISTS products_category_index;

-- migrate:down
-- migrate:no-transaction
-- migrate:statement-timeout 24h
CREATE INDEX CONCURRENTLY IF NOT EXISTS sales_created_at_index ON sales (created_at);
DROP INDEX CONCURRENTLY IF EXISTS sales_created_at_id_index;
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_name_index ON products (name);
DROP INDEX CONCURRENTLY IF EXISTS products_name_id_index;
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_category_index ON products (category);
DROP INDEX CONCURRENTLY IF EXISTS products_category_name_id_index;
