// Greets in C++.

#include <string>

#include "lp_node.h"

void exports_example_greeting_greeter_greet(lp_node_string_t *name, lp_node_string_t *ret) {
  const std::string text = "hello, " + std::string(reinterpret_cast<char *>(name->ptr), name->len) + ", from C++";
  lp_node_string_dup_n(ret, text.data(), text.size());
  lp_node_string_free(name);
}
