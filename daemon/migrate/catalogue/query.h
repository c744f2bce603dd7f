// Private to catalogue/drift.cpp: the catalogue of schema $1 as lines of text. Run with an empty
// search_path, so that names are written in full whatever the session has set.
//
// Between \x01 and \x02 stand owners and grants, which are no work of a migration's statements;
// between \x03 and \x04 what only the proof of an adoption compares. The tables in which Knex keeps
// its own state are left out, and what belongs to them: it may write there as long as it lives. So
// are the options of a column whose names begin with pg_: the server writes them for itself.
#pragma once

namespace pantryd::migrate {

extern const char* const kCatalogueQuery;

}  // namespace pantryd::migrate
