// What nodes in C and C++ need beside the bindings of their world.

#include "lp.h"

#include <stdio.h>
#include <stdlib.h>

// What a node prints is shown by line. Nothing else would flush it: a node is never exited.
__attribute__((constructor)) static void print_by_line(void) { setvbuf(stdout, NULL, _IOLBF, BUFSIZ); }

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
