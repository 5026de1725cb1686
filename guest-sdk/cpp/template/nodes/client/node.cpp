// The client: has every counter count, and stops the program.

#include <cstdio>
#include <span>
#include <string>

#include "lp.h"

namespace {

using Counters = std::span<const app_nodes_counter_handles_own_counter_t>;

// Adds `n` to every counter and prints what each then has. Whether all calls were answered.
bool count(Counters counters, uint64_t n) {
  std::string sums;
  for (const auto &counter : counters) {
    uint64_t sum;
    app_nodes_counter_handles_call_error_t error;
    const auto borrowed = app_nodes_counter_handles_borrow_counter(counter);
    if (!app_nodes_counter_handles_method_counter_add(borrowed, n, &sum, &error)) {
      std::fprintf(stderr, "error: %s\n", lp_call_error(&error));
      return false;
    }
    sums += (sums.empty() ? "" : ", ") + std::to_string(sum);
  }
  std::printf("after adding %s: [%s]\n", std::to_string(n).c_str(), sums.c_str());
  return true;
}

}  // namespace

bool exports_wasi_cli_run_run(void) {
  lp_node_string_t name = lp_text("counters");
  app_nodes_counter_handles_list_own_counter_t counters;
  app_nodes_counter_handles_all(&name, &counters);
  for (uint64_t n = 1; n <= 3; n++) {
    if (!count(Counters(counters.ptr, counters.len), n)) return false;
  }
  lp_node_program_stop();
  return true;
}
