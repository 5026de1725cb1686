"""What the event loop of componentize-py lacks: timers, and calls that go on when their caller has returned."""

import asyncio
import time
import traceback

import componentize_py_async_support as support
import componentize_py_runtime as runtime
from wit_world.imports import monotonic_clock


# The longest that a timer waits for at once, in nanoseconds: how long one goes on that has been cancelled.
_WAIT_MAX = 100_000_000


class _Call(asyncio.Future):
    """A call that is under way, which may be answered after its caller has cancelled it."""

    def set_result(self, result):
        if not self.cancelled():
            super().set_result(result)


def _call_at(when, callback, *args, context=None):
    handle = asyncio.TimerHandle(when, callback, args, support._loop, context)

    def left():
        return max(0, int((when - time.monotonic()) * 1e9))

    async def wait():
        remaining = left()
        while remaining > 0 and not handle.cancelled():
            now = min(remaining, _WAIT_MAX)
            await monotonic_clock.wait_for(now)
            # The clock of a node may stand still.
            remaining = min(remaining - now, left())
        if not handle.cancelled():
            handle._run()

    support._loop.create_task(wait(), context=context)
    return handle


def _call_later(delay, callback, *args, context=None):
    return _call_at(time.monotonic() + delay, callback, *args, context=context)


def _poll(state):
    """As the original, but a function that returned while calls of its own are under way waits for those."""
    try:
        support._loop.poll(state)
    except BaseException:
        # What happens before the first wait, the runtime prints as well as this does; what happens later, in one line.
        if getattr(state, "has_waited", False):
            traceback.print_exc()
        raise
    if state.pending_count == 0 and not state.futures:
        if state.waitable_set is not None:
            runtime.waitable_set_drop(state.waitable_set)
        return support._CallbackCode.EXIT
    state.has_waited = True
    runtime.context_set(state)
    return support._CallbackCode.WAIT | (state.waitable_set << 4)


def complete():
    loop = support._loop
    loop.create_future = lambda: _Call(loop=loop)
    loop.time, loop.call_at, loop.call_later = time.monotonic, _call_at, _call_later
    loop._timer_handle_cancelled = lambda handle: None
    support._poll = _poll
