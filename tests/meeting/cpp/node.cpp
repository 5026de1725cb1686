// Passes calls on to the meeting, and makes many such calls at once.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "lp.hpp"

namespace {

using Relay = test_meeting_relay_handles_borrow_relay_t;
using Result = test_meeting_relay_handles_result_u32_call_error_t;

lp::Task pass(uint32_t of) {
  uint32_t met;
  co_await test_meeting_meeting_meet(of, &met);
  exports_test_meeting_relay_pass_return(met);
}

uint32_t value(const Result &result) {
  if (!result.is_err) return result.val.ok;
  std::fprintf(stderr, "error: %s\n", lp_call_error(&result.val.err));
  std::abort();
}

void meet(Relay relay) {
  std::array<Result, 100> results;
  lp_calls_t calls = {};
  for (auto &result : results) lp_add(&calls, test_meeting_relay_handles_method_relay_pass(relay, 100, &result));
  lp_wait(&calls);
  uint32_t most = 0;
  for (const auto &result : results) most = std::max(most, value(result));
  std::printf("%zu calls met %u\n", results.size(), most);
}

void send(Relay relay, int calls) {
  std::vector<uint8_t> payload(1024);
  for (int call = 0; call < calls; call++) {
    test_meeting_relay_handles_result_list_u8_call_error_t result;
    lp_wait_for(test_meeting_relay_handles_method_relay_echo(relay, {payload.data(), payload.size()}, &result));
    if (result.is_err || result.val.ok.len != payload.size()) std::abort();
    test_meeting_relay_handles_result_list_u8_call_error_free(&result);
  }
}

}  // namespace

lp_node_callback_code_t exports_test_meeting_relay_pass(uint32_t of) { return pass(of).start(); }

lp_node_callback_code_t exports_test_meeting_relay_echo(lp_node_list_u8_t *bytes) {
  exports_test_meeting_relay_echo_return(*bytes);
  lp_node_list_u8_free(bytes);
  return LP_NODE_CALLBACK_CODE_EXIT;
}

bool exports_wasi_cli_run_run(void) {
  lp_node_string_t name = lp_text("relay");
  test_meeting_relay_handles_list_own_relay_t relays;
  test_meeting_relay_handles_all(&name, &relays);
  const Relay relay = test_meeting_relay_handles_borrow_relay(relays.ptr[0]);
  meet(relay);
  char *calls = lp_config("calls");
  if (calls != nullptr) send(relay, std::atoi(calls));
  std::free(calls);
  lp_node_program_stop();
  return true;
}
