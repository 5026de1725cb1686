// Exported functions of nodes in C++ that wait for calls by `co_await`, in a node whose build.toml has `style = "async"`.
#ifndef LP_HPP
#define LP_HPP

#include <coroutine>
#include <cstdlib>

#include "lp.h"

namespace lp {

// What a coroutine returns that does the work of an exported function. In it, `co_await` takes one call that was just started,
// or many that `lp_add` has added up; meanwhile the node works on others.
class Task {
 public:
  struct promise_type;

  // Begins the work. To be returned by the exported function.
  lp_node_callback_code_t start() { return go_on(handle_.address()); }

 private:
  using Handle = std::coroutine_handle<promise_type>;

  explicit Task(Handle handle) : handle_(handle) {}

  // Runs the coroutine to where it waits next, or to its end.
  static lp_node_callback_code_t go_on(void *address);

  Handle handle_;
};

struct Task::promise_type {
  // What the coroutine waits for.
  lp_calls_t calls = {};

  struct Answered {
    const lp_calls_t &calls;
    bool await_ready() const noexcept { return calls.pending == 0; }
    void await_suspend(Handle) const noexcept {}
    void await_resume() const noexcept {}
  };

  Task get_return_object() { return Task(Handle::from_promise(*this)); }
  std::suspend_always initial_suspend() noexcept { return {}; }
  std::suspend_always final_suspend() noexcept { return {}; }
  void return_void() noexcept {}
  void unhandled_exception() noexcept { std::abort(); }

  Answered await_transform(lp_node_subtask_status_t status) {
    calls = {};
    lp_add(&calls, status);
    return {calls};
  }

  Answered await_transform(const lp_calls_t &started) {
    calls = started;
    return {calls};
  }
};

inline lp_node_callback_code_t Task::go_on(void *address) {
  const Handle handle = Handle::from_address(address);
  handle.resume();
  if (!handle.done()) return lp_then(&handle.promise().calls, go_on, address);
  handle.destroy();
  return LP_NODE_CALLBACK_CODE_EXIT;
}

}  // namespace lp
#endif
