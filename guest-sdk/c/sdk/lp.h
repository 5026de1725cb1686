// What nodes in C and C++ need beside the bindings of their world, which are in lp_node.h.
#ifndef LP_H
#define LP_H

#include <string.h>

#include "lp_node.h"

#ifdef __cplusplus
extern "C" {
#endif

// A string for a call, which is only read: nothing is copied, and nothing to be freed.
static inline lp_node_string_t lp_text(const char *text) {
  lp_node_string_t string;
  string.ptr = (uint8_t *)text;
  string.len = strlen(text);
  return string;
}

// Prints a line, as `puts` of stdio.h does: for languages that have no use for the C library.
void lp_print(const char *line);

// Writes a line to the host's log; `level` is one of WASI_LOGGING_LOGGING_LEVEL_DEBUG, …_INFO, …_WARN and …_ERROR.
void lp_log(wasi_logging_logging_level_t level, const char *message);

// The value that `config = { … }` in program.toml has for `key`, or NULL; to be freed by `free`.
char *lp_config(const char *key);

// What a failed call says of itself, to be printed at once.
const char *lp_call_error(const lp_courier_types_call_error_t *error);

#ifdef LP_NODE_SUBTASK_STATE
// Many calls at once, in a node whose build.toml has `style = "async"`: a call that is started returns a status, and its
// result is where it was told to put it once the call has been waited for. Until then, its arguments have to stay as they are.

// Calls that are under way; `{0}` is none.
typedef struct lp_calls {
  lp_node_waitable_set_t set;
  size_t pending;
} lp_calls_t;

// Adds a call that was just started.
void lp_add(lp_calls_t *calls, lp_node_subtask_status_t status);

// Waits for all of them. Meanwhile the node works on nothing else.
void lp_wait(lp_calls_t *calls);

// Waits for one call that was just started.
void lp_wait_for(lp_node_subtask_status_t status);

// What an exported function does after its calls. It returns what an exported function returns.
typedef lp_node_callback_code_t (*lp_next_t)(void *state);

// Has `next` be called with `state` when all calls have been answered. To be returned by an exported function, or by its
// `next`; meanwhile the node works on other calls.
lp_node_callback_code_t lp_then(const lp_calls_t *calls, lp_next_t next, void *state);

// Has an exported function go on after an event. The callback of every function is this one, unless a node defines its own.
lp_node_callback_code_t lp_resume(const lp_node_event_t *event);
#endif

#ifdef __cplusplus
}
#endif
#endif
