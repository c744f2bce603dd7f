// The process: everything is in daemon/cli, so that tests can link it.
#include "cli/command.h"

int main(int argc, char** argv) {
  return pantryd::cli::run(argc, argv);
}
