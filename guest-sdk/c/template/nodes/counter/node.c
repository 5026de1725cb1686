// A counter: keeps a sum.

#include "lp_node.h"

static uint64_t total = 0;

uint64_t exports_app_nodes_counter_add(uint64_t n) {
  total += n;
  return total;
}
