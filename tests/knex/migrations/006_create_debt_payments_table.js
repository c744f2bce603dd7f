exports.up = function (knex) {
  return knex.schema.createTable('debt_payments', (table) => {
    table.uuid('id').primary();
    table.uuid('debt_id').notNullable();
    table.decimal('amount', 10, 2).notNullable();
    table.enu('payment_method', ['cash', 'mpesa']).notNullable();
    table.string('mpesa_code', 50);
    table.text('notes');
    table.uuid('received_by');
    table.timestamps(true, true);

    table.foreign('debt_id').references('id').inTable('debts').onDelete('CASCADE');
    table.foreign('received_by').references('id').inTable('users').onDelete('SET NULL');

    table.index(['debt_id']);
    table.index(['payment_method']);
    table.index(['mpesa_code']);
    table.index(['created_at']);
  });
};

exports.down = function (knex) {
  return knex.schema.dropTable('debt_payments');
};
