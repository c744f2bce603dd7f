// The only file that is compiled with the paths of this build.
#include "tests/support/places.h"

namespace pantryd::places {

const char* const binary = PANTRYD_BINARY;
const char* const source_dir = SOURCE_DIR;
const char* const knex_dir = KNEX_DIR;
const char* const servers_dir = SERVERS_DIR;
const char* const silent_resolver = SILENT_RESOLVER;

}  // namespace pantryd::places
