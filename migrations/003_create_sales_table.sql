-- One row a product sold. The name and the price are copied, because products change later.
-- Names and types are those that the application's own migration gave them, so that a database
-- made there and one made here are the same.
-- migrate:up
CREATE TABLE sales (
    id uuid PRIMARY KEY,
    product_id uuid NOT NULL,
    product_name varchar(100) NOT NULL,
    quantity integer NOT NULL,
    unit_price numeric(10,2) NOT NULL,
    total numeric(10,2) NOT NULL,
    payment_method text NOT NULL CHECK (payment_method IN ('cash', 'mpesa', 'debt')),
    customer_name varchar(100),
    customer_phone varchar(20),
    status text DEFAULT 'completed' CHECK (status IN ('completed', 'pending', 'cancelled')),
    mpesa_code varchar(50),
    notes text,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

ALTER TABLE sales ADD CONSTRAINT sales_product_id_foreign
    FOREIGN KEY (product_id) REFERENCES products (id) ON DELETE RESTRICT;
ALTER TABLE sales ADD CONSTRAINT sales_created_by_foreign
    FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX sales_product_id_index ON sales (product_id);
CREATE INDEX sales_payment_method_index ON sales (payment_method);
CREATE INDEX sales_status_index ON sales (status);
CREATE INDEX sales_created_at_index ON sales (created_at);
CREATE INDEX sales_customer_phone_index ON sales (customer_phone);
CREATE INDEX sales_mpesa_code_index ON sales (mpesa_code);

-- migrate:down
DROP TABLE sales;
