exports.up = function (knex) {
  return knex.schema.createTable('sales', (table) => {
    table.uuid('id').primary();
    table.uuid('product_id').notNullable();
    table.string('product_name', 100).notNullable();
    table.integer('quantity').notNullable();
    table.decimal('unit_price', 10, 2).notNullable();
    table.decimal('total', 10, 2).notNullable();
    table.enu('payment_method', ['cash', 'mpesa', 'debt']).notNullable();
    table.string('customer_name', 100);
    table.string('customer_phone', 20);
    table.enu('status', ['completed', 'pending', 'cancelled']).defaultTo('completed');
    table.string('mpesa_code', 50);
    table.text('notes');
    table.uuid('created_by');
    table.timestamps(true, true);

    table.foreign('product_id').references('id').inTable('products').onDelete('RESTRICT');
    table.foreign('created_by').references('id').inTable('users').onDelete('SET NULL');

    table.index(['product_id']);
    table.index(['payment_method']);
    table.index(['status']);
    table.index(['created_at']);
    table.index(['customer_phone']);
    table.index(['mpesa_code']);
  });
};

exports.down = function (knex) {
  return knex.schema.dropTable('sales');
};
