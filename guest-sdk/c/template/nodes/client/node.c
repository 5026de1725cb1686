// The client: has every counter count, and stops the program.

#include <stdio.h>

#include "lp.h"

// Adds `n` to every counter and prints what each then has. Whether all calls were answered.
static bool count(const app_nodes_counter_handles_list_own_counter_t *counters, uint64_t n) {
  printf("after adding %llu: [", (unsigned long long)n);
  for (size_t i = 0; i < counters->len; i++) {
    uint64_t sum;
    app_nodes_counter_handles_call_error_t error;
    app_nodes_counter_handles_borrow_counter_t counter = app_nodes_counter_handles_borrow_counter(counters->ptr[i]);
    if (!app_nodes_counter_handles_method_counter_add(counter, n, &sum, &error)) {
      fprintf(stderr, "error: %s\n", lp_call_error(&error));
      return false;
    }
    printf(i > 0 ? ", %llu" : "%llu", (unsigned long long)sum);
  }
  printf("]\n");
  return true;
}

bool exports_wasi_cli_run_run(void) {
  lp_node_string_t name = lp_text("counters");
  app_nodes_counter_handles_list_own_counter_t counters;
  app_nodes_counter_handles_all(&name, &counters);
  for (uint64_t n = 1; n <= 3; n++) {
    if (!count(&counters, n)) return false;
  }
  lp_node_program_stop();
  return true;
}
