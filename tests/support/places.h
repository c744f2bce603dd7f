// Where the build put what tests run and read. Told in places.cpp alone: a path in the command that
// compiles a test would make every checkout compile it anew.
#pragma once

namespace pantryd::places {

extern const char* const binary;           ///< pantryd
extern const char* const source_dir;       ///< the root of the checkout
extern const char* const knex_dir;         ///< the application's own migrations, with Knex
extern const char* const servers_dir;      ///< a folder a PostgreSQL major, where they are built
extern const char* const silent_resolver;  ///< see preload/silent_resolver.cpp

}  // namespace pantryd::places
