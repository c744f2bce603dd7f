-- What customers paid back, part by part.
-- Names and types are those that the application's own migration gave them, so that a database
-- made there and one made here are the same.
-- migrate:up
CREATE TABLE debt_payments (
    id uuid PRIMARY KEY,
    debt_id uuid NOT NULL,
    amount numeric(10,2) NOT NULL,
    payment_method text NOT NULL CHECK (payment_method IN ('cash', 'mpesa')),
    mpesa_code varchar(50),
    notes text,
    received_by uuid,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

ALTER TABLE debt_payments ADD CONSTRAINT debt_payments_debt_id_foreign
    FOREIGN KEY (debt_id) REFERENCES debts (id) ON DELETE CASCADE;
ALTER TABLE debt_payments ADD CONSTRAINT debt_payments_received_by_foreign
    FOREIGN KEY (received_by) REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX debt_payments_debt_id_index ON debt_payments (debt_id);
CREATE INDEX debt_payments_payment_method_index ON debt_payments (payment_method);
CREATE INDEX debt_payments_mpesa_code_index ON debt_payments (mpesa_code);
CREATE INDEX debt_payments_created_at_index ON debt_payments (created_at);

-- migrate:down
DROP TABLE debt_payments;
