// Passes calls on to the meeting, and makes many such calls at once.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lp.h"

static lp_node_callback_code_t pass_on(void *met) {
  exports_test_meeting_relay_pass_return(*(uint32_t *)met);
  free(met);
  return LP_NODE_CALLBACK_CODE_EXIT;
}

lp_node_callback_code_t exports_test_meeting_relay_pass(uint32_t of) {
  uint32_t *met = malloc(sizeof *met);
  lp_calls_t calls = {0};
  lp_add(&calls, test_meeting_meeting_meet(of, met));
  return lp_then(&calls, pass_on, met);
}

lp_node_callback_code_t exports_test_meeting_relay_echo(lp_node_list_u8_t *bytes) {
  exports_test_meeting_relay_echo_return(*bytes);
  lp_node_list_u8_free(bytes);
  return LP_NODE_CALLBACK_CODE_EXIT;
}

typedef test_meeting_relay_handles_borrow_relay_t relay_t;
typedef test_meeting_relay_handles_result_u32_call_error_t result_t;

static uint32_t value(const result_t *result) {
  if (!result->is_err) return result->val.ok;
  fprintf(stderr, "error: %s\n", lp_call_error(&result->val.err));
  abort();
}

static void meet(relay_t relay) {
  result_t results[100];
  lp_calls_t calls = {0};
  for (int i = 0; i < 100; i++) lp_add(&calls, test_meeting_relay_handles_method_relay_pass(relay, 100, &results[i]));
  lp_wait(&calls);
  uint32_t most = 0;
  for (int i = 0; i < 100; i++) most = value(&results[i]) > most ? value(&results[i]) : most;
  printf("100 calls met %u\n", most);
}

static void send(relay_t relay, int calls) {
  uint8_t payload[1024] = {0};
  lp_node_list_u8_t bytes = {payload, sizeof payload};
  for (int call = 0; call < calls; call++) {
    test_meeting_relay_handles_result_list_u8_call_error_t result;
    lp_wait_for(test_meeting_relay_handles_method_relay_echo(relay, bytes, &result));
    if (result.is_err || result.val.ok.len != sizeof payload) abort();
    test_meeting_relay_handles_result_list_u8_call_error_free(&result);
  }
}

bool exports_wasi_cli_run_run(void) {
  lp_node_string_t name = lp_text("relay");
  test_meeting_relay_handles_list_own_relay_t relays;
  test_meeting_relay_handles_all(&name, &relays);
  relay_t relay = test_meeting_relay_handles_borrow_relay(relays.ptr[0]);
  meet(relay);
  char *calls = lp_config("calls");
  if (calls != NULL) send(relay, atoi(calls));
  free(calls);
  lp_node_program_stop();
  return true;
}
