// Greets in C.

#include <stdio.h>

#include "lp_node.h"

void exports_example_greeting_greeter_greet(lp_node_string_t *name, lp_node_string_t *ret) {
  char text[256];
  snprintf(text, sizeof text, "hello, %.*s, from C", (int)name->len, name->ptr);
  lp_node_string_dup(ret, text);
  lp_node_string_free(name);
}
