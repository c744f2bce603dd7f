exports.up = function (knex) {
  return knex.schema.createTable('products', (table) => {
    table.uuid('id').primary();
    table.string('name', 100).notNullable();
    table.string('category', 50).notNullable();
    table.decimal('price', 10, 2).notNullable();
    table.integer('stock').defaultTo(0);
    table.integer('min_stock').defaultTo(10);
    table.text('description');
    table.string('barcode', 50).unique();
    table.string('supplier', 100);
    table.decimal('cost_price', 10, 2);
    table.boolean('is_active').defaultTo(true);
    table.timestamps(true, true);

    table.index(['name']);
    table.index(['category']);
    table.index(['barcode']);
    table.index(['is_active']);
    table.index(['stock']);
  });
};

exports.down = function (knex) {
  return knex.schema.dropTable('products');
};
