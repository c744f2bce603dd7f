// Where the database is comes from libpq's own variables: PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSFILE.
const path = require('path');

module.exports = {
  client: 'pg',
  connection: { application_name: 'knex' },
  pool: { min: 0, max: 2 },
  migrations: {
    directory: process.env.KNEX_MIGRATIONS || path.join(__dirname, 'migrations'),
  },
};
