exports.up = function (knex) {
  return knex.schema.createTable('debts', (table) => {
    table.uuid('id').primary();
    table.uuid('sale_id');
    table.string('customer_name', 100).notNullable();
    table.string('customer_phone', 20);
    table.decimal('amount', 10, 2).notNullable();
    table.decimal('amount_paid', 10, 2).defaultTo(0);
    table.decimal('balance', 10, 2).notNullable();
    table.enu('status', ['pending', 'partial', 'paid', 'overdue']).defaultTo('pending');
    table.date('due_date');
    table.text('notes');
    table.uuid('created_by');
    table.timestamps(true, true);

    table.foreign('sale_id').references('id').inTable('sales').onDelete('SET NULL');
    table.foreign('created_by').references('id').inTable('users').onDelete('SET NULL');

    table.index(['customer_name']);
    table.index(['customer_phone']);
    table.index(['status']);
    table.index(['due_date']);
    table.index(['created_by']);
    table.index(['sale_id']);
  });
};

exports.down = function (knex) {
  return knex.schema.dropTable('debts');
};
