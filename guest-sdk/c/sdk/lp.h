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

#ifdef __cplusplus
}
#endif
#endif
