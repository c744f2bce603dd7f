-- What customers owe. It outlives the sale that it came from.
-- Names and types are those that the application's own migration gave them, so that a database
-- made there and one made here are the same.
-- migrate:up
CREATE TABLE debts (
    id uuid PRIMARY KEY,
    sale_id uuid,
    customer_name varchar(100) NOT NULL,
    customer_phone varchar(20),
    amount numeric(10,2) NOT NULL,
    amount_paid numeric(10,2) DEFAULT '0',
    balance numeric(10,2) NOT NULL,
    status text DEFAULT 'pending' CHECK (status IN ('pending', 'partial', 'paid', 'overdue')),
    due_date date,
    notes text,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

ALTER TABLE debts ADD CONSTRAINT debts_sale_id_foreign
    FOREIGN KEY (sale_id) REFERENCES sales (id) ON DELETE SET NULL;
ALTER TABLE debts ADD CONSTRAINT debts_created_by_foreign
    FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX debts_customer_name_index ON debts (customer_name);
CREATE INDEX debts_customer_phone_index ON debts (customer_phone);
CREATE INDEX debts_status_index ON debts (status);
CREATE INDEX debts_due_date_index ON debts (due_date);
CREATE INDEX debts_created_by_index ON debts (created_by);
CREATE INDEX debts_sale_id_index ON debts (sale_id);

-- migrate:down
DROP TABLE debts;
