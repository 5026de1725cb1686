// What nodes in C and C++ need beside the bindings of their world.

#include "lp.h"

#include <stdio.h>
#include <stdlib.h>

// The host makes lines of what a node prints. Nothing would flush what is kept here: a node is never exited.
__attribute__((constructor)) static void print_at_once(void) { setvbuf(stdout, NULL, _IONBF, 0); }

static char *copy(const lp_node_string_t *string) {
  char *text = malloc(string->len + 1);
  if (text == NULL) abort();
  if (string->len > 0) memcpy(text, string->ptr, string->len);
  text[string->len] = '\0';
  return text;
}

void lp_print(const char *line) { puts(line); }

void lp_log(wasi_logging_logging_level_t level, const char *message) {
  lp_node_string_t context = lp_text("");
  lp_node_string_t line = lp_text(message);
  wasi_logging_logging_log(level, &context, &line);
}

char *lp_config(const char *key) {
  lp_node_string_t name = lp_text(key);
  lp_node_option_string_t value;
  wasi_config_store_error_t error;
  if (!wasi_config_store_get(&name, &value, &error)) {
    wasi_config_store_error_free(&error);
    return NULL;
  }
  char *text = value.is_some ? copy(&value.val) : NULL;
  lp_node_option_string_free(&value);
  return text;
}

const char *lp_call_error(const lp_courier_types_call_error_t *error) {
  static char text[256];
  switch (error->tag) {
    case LP_COURIER_TYPES_CALL_ERROR_UNAVAILABLE: return "the called node is unavailable";
    case LP_COURIER_TYPES_CALL_ERROR_DEADLINE_EXCEEDED: return "the call's deadline passed";
    case LP_COURIER_TYPES_CALL_ERROR_CANCELLED: return "the call was cancelled";
    case LP_COURIER_TYPES_CALL_ERROR_DENIED: return "the call was denied";
    case LP_COURIER_TYPES_CALL_ERROR_OVERLOADED: return "the called node is overloaded";
    case LP_COURIER_TYPES_CALL_ERROR_TOO_LARGE: return "the message is too large";
    default:
      snprintf(text, sizeof text, "the called node failed: %.*s", (int)error->val.failed.len, error->val.failed.ptr);
      return text;
  }
}

#ifdef LP_NODE_SUBTASK_STATE
// An exported function that waits, kept in the slot that the host has for it.
typedef struct task {
  lp_calls_t calls;
  lp_next_t next;
  void *state;
} task_t;

void lp_add(lp_calls_t *calls, lp_node_subtask_status_t status) {
  if (LP_NODE_SUBTASK_STATE(status) == LP_NODE_SUBTASK_RETURNED) return;
  if (calls->set == 0) calls->set = lp_node_waitable_set_new();
  lp_node_waitable_join(LP_NODE_SUBTASK_HANDLE(status), calls->set);
  calls->pending++;
}

// Notes an event of the calls. Whether all have been answered now, which leaves none of them.
static bool are_answered(lp_calls_t *calls, const lp_node_event_t *event) {
  if (event->event != LP_NODE_EVENT_SUBTASK || event->code < LP_NODE_SUBTASK_RETURNED) return false;
  lp_node_subtask_drop(event->waitable);
  if (--calls->pending > 0) return false;
  lp_node_waitable_set_drop(calls->set);
  calls->set = 0;
  return true;
}

void lp_wait(lp_calls_t *calls) {
  if (calls->pending == 0) return;
  lp_node_event_t event;
  do {
    lp_node_waitable_set_wait(calls->set, &event);
  } while (!are_answered(calls, &event));
}

void lp_wait_for(lp_node_subtask_status_t status) {
  lp_calls_t calls = {0};
  lp_add(&calls, status);
  lp_wait(&calls);
}

lp_node_callback_code_t lp_then(const lp_calls_t *calls, lp_next_t next, void *state) {
  if (calls->pending == 0) return next(state);
  task_t *task = malloc(sizeof *task);
  if (task == NULL) abort();
  task->calls = *calls;
  task->next = next;
  task->state = state;
  lp_node_context_set_0(task);
  return LP_NODE_CALLBACK_CODE_WAIT(calls->set);
}

lp_node_callback_code_t lp_resume(const lp_node_event_t *event) {
  task_t *task = lp_node_context_get_0();
  if (!are_answered(&task->calls, event)) return LP_NODE_CALLBACK_CODE_WAIT(task->calls.set);
  lp_next_t next = task->next;
  void *state = task->state;
  free(task);
  return next(state);
}
#endif
