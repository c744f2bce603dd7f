-- Who may use the till. The application makes every id itself, so no id has a default.
-- Names and types are those that the application's own migration gave them, so that a database
-- made there and one made here are the same.
-- migrate:up
CREATE TABLE users (
    id uuid PRIMARY KEY,
    username varchar(50) NOT NULL,
    email varchar(100) NOT NULL,
    password varchar(255) NOT NULL,
    role text DEFAULT 'cashier' CHECK (role IN ('admin', 'manager', 'cashier')),
    is_active boolean DEFAULT true,
    last_login timestamptz,
    created_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);

ALTER TABLE users ADD CONSTRAINT users_username_unique UNIQUE (username);
ALTER TABLE users ADD CONSTRAINT users_email_unique UNIQUE (email);
CREATE INDEX users_username_index ON users (username);
CREATE INDEX users_email_index ON users (email);
CREATE INDEX users_role_index ON users (role);
CREATE INDEX users_is_active_index ON users (is_active);

-- migrate:down
DROP TABLE users;
