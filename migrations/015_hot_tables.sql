-- Storage settings of the tables that change all day.
-- products: every sale updates a row. 15 % of each page is left free, so that the new version fits
-- beside the old one and no index is touched (HOT); vacuum comes after 1 % of the rows changed and
-- not after 20 %, which at a million products were 200,000 dead rows in every search.
-- sales: grows, and loses cancelled rows. Vacuum after 1 % more rows keeps the visibility map fresh
-- for index-only scans, ANALYZE after 1 % tells the planner of the newest days.
-- debts: payments update balance and status.
-- sales_hourly, product_sales: a fold updates them.
-- None of this rewrites a table or blocks readers and writers; pages that are there are filled as
-- they are written again.
-- migrate:up
-- migrate:no-transaction
ALTER TABLE products SET (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE sales SET (autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01);
ALTER TABLE debts SET (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE product_sales SET (autovacuum_vacuum_scale_factor = 0.02);

-- migrate:down
-- migrate:no-transaction
ALTER TABLE products RESET (fillfactor, autovacuum_vacuum_scale_factor,
    autovacuum_analyze_scale_factor);
ALTER TABLE sales RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor,
    autovacuum_analyze_scale_factor);
ALTER TABLE debts RESET (fillfactor, autovacuum_vacuum_scale_factor,
    autovacuum_analyze_scale_factor);
ALTER TABLE product_sales RESET (autovacuum_vacuum_scale_factor);
