-- Three columns carry two btrees each: that of their UNIQUE constraint and a plain one, which can
-- answer nothing that the first cannot, and is written and kept in memory for nothing.
-- migrate:up
-- migrate:no-transaction
DROP INDEX CONCURRENTLY IF EXISTS users_username_index;
DROP INDEX CONCURRENTLY IF EXISTS users_email_index;
DROP INDEX CONCURRENTLY IF EXISTS products_barcode_index;

-- migrate:down
-- migrate:no-transaction
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_username_index ON users (username);
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email_index ON users (email);
CREATE INDEX CONCURRENTLY IF NOT EXISTS products_barcode_index ON products (barcode);
