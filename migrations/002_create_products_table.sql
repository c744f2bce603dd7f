-- What the shop sells, and how much of it is there.
-- Names and types are those that the application's own migration gave them, so that a database
-- made there and one made here are the same.
-- migrate:up
CREATE TABLE products (
    id uuid PRIMARY KEY,
    name varchar(100) NOT NULL,
    category varchar(50) NOT NULL,
    price numeric(10,2) NOT NULL,
    stock integer DEFAULT '0',
    min_stock integer DEFAULT '10',
    description text,
    barcode varchar(50),
    supplier varchar(100),
    cost_price numeric(10,2),
    is_active boolean DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

ALTER TABLE products ADD CONSTRAINT products_barcode_unique UNIQUE (barcode);
CREATE INDEX products_name_index ON products (name);
CREATE INDEX products_category_index ON products (category);
CREATE INDEX products_barcode_index ON products (barcode);
CREATE INDEX products_is_active_index ON products (is_active);
CREATE INDEX products_stock_index ON products (stock);

-- migrate:down
DROP TABLE products;
