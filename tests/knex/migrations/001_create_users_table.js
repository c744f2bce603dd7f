exports.up = function (knex) {
  return knex.schema.createTable('users', (table) => {
    table.uuid('id').primary();
    table.string('username', 50).notNullable().unique();
    table.string('email', 100).notNullable().unique();
    table.string('password', 255).notNullable();
    table.enu('role', ['admin', 'manager', 'cashier']).defaultTo('cashier');
    table.boolean('is_active').defaultTo(true);
    table.timestamp('last_login');
    table.timestamps(true, true);

    table.index(['username']);
    table.index(['email']);
    table.index(['role']);
    table.index(['is_active']);
  });
};

exports.down = function (knex) {
  return knex.schema.dropTable('users');
};
