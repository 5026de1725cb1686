// Prints a line.

#include <stdio.h>
#include <stdlib.h>

#include "lp.h"

bool exports_wasi_cli_run_run(void) {
  char *name = lp_config("name");
  unsigned place = lp_node_program_replica_index() + 1, count = lp_node_program_replica_count();
  printf("hello, %s, from C: %u of %u\n", name == NULL ? "you" : name, place, count);
  free(name);
  return true;
}
