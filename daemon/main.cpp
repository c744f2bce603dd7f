#include "cli/command.h"

int main(int argc, char** argv) {
  return pantryd::cli::run(argc, argv);
}
