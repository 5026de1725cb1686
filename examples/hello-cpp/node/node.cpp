// Prints a line.

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "lp.h"

bool exports_wasi_cli_run_run(void) {
  const std::unique_ptr<char, decltype(&std::free)> name(lp_config("name"), std::free);
  const unsigned place = lp_node_program_replica_index() + 1, count = lp_node_program_replica_count();
  std::printf("hello, %s, from C++: %u of %u\n", name ? name.get() : "you", place, count);
  return true;
}
