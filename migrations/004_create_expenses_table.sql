-- What the shop spends, and who approved it.
-- Names and types are those that the application's own migration gave them, so that a database
-- made there and one made here are the same.
-- migrate:up
CREATE TABLE expenses (
    id uuid PRIMARY KEY,
    description varchar(255) NOT NULL,
    amount numeric(10,2) NOT NULL,
    category varchar(50) NOT NULL,
    status text DEFAULT 'pending' CHECK (status IN ('pending', 'approved', 'rejected')),
    expense_date date NOT NULL,
    receipt_number varchar(50),
    notes text,
    created_by uuid,
    approved_by uuid,
    approved_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

ALTER TABLE expenses ADD CONSTRAINT expenses_created_by_foreign
    FOREIGN KEY (created_by) REFERENCES users (id) ON DELETE SET NULL;
ALTER TABLE expenses ADD CONSTRAINT expenses_approved_by_foreign
    FOREIGN KEY (approved_by) REFERENCES users (id) ON DELETE SET NULL;
CREATE INDEX expenses_category_index ON expenses (category);
CREATE INDEX expenses_status_index ON expenses (status);
CREATE INDEX expenses_expense_date_index ON expenses (expense_date);
CREATE INDEX expenses_created_by_index ON expenses (created_by);
CREATE INDEX expenses_approved_by_index ON expenses (approved_by);

-- migrate:down
DROP TABLE expenses;
