exports.up = function (knex) {
  return knex.schema.createTable('expenses', (table) => {
    table.uuid('id').primary();
    table.string('description', 255).notNullable();
    table.decimal('amount', 10, 2).notNullable();
    table.string('category', 50).notNullable();
    table.enu('status', ['pending', 'approved', 'rejected']).defaultTo('pending');
    table.date('expense_date').notNullable();
    table.string('receipt_number', 50);
    table.text('notes');
    table.uuid('created_by');
    table.uuid('approved_by');
    table.timestamp('approved_at');
    table.timestamps(true, true);

    table.foreign('created_by').references('id').inTable('users').onDelete('SET NULL');
    table.foreign('approved_by').references('id').inTable('users').onDelete('SET NULL');

    table.index(['category']);
    table.index(['status']);
    table.index(['expense_date']);
    table.index(['created_by']);
    table.index(['approved_by']);
  });
};

exports.down = function (knex) {
  return knex.schema.dropTable('expenses');
};
