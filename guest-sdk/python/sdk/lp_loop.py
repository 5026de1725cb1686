"""The event loop of a node: asyncio's own, carried by the tasks of the component model instead of by a selector.

Each call of an export is such a task. It gets a turn whenever the host has something for it, and Python code of the call runs
in its own turns alone: what is returned, and who is called, counts for the task whose turn it is. So a callback that belongs
to another call is queued for that one, and the host is asked to give it a turn.
"""

import asyncio
import heapq
import sys
import time
import traceback
import types
from asyncio.base_events import BaseEventLoop
from contextvars import Context, copy_context

import componentize_py_async_support as support
import componentize_py_runtime as runtime
from componentize_py_types import Err, Ok
from wit_world.imports import monotonic_clock

# How often what a turn has run may queue more, before other calls get a turn.
_ROUNDS_MAX = 8


class _Call(support._FutureState):
    """A call of an export, from its first turn to its last one."""

    def __init__(self):
        super().__init__(None, {}, [], 1)
        self.is_over = False
        # The host has been asked to give it a turn.
        self.is_woken = False
        self.is_first_turn = True
        # Its timers that have neither run nor been cancelled.
        self.timers = 0

    def set(self):
        if self.waitable_set is None:
            self.waitable_set = runtime.waitable_set_new()
        return self.waitable_set

    def watch(self, waitable, told):
        """Gives the call a turn when the host is done with `waitable`, in which `told.set_result` is called first."""
        self.futures[waitable] = told
        runtime.waitable_join(waitable, self.set())


class _Answer(asyncio.Future):
    """The end of a call of the host, which may come after whoever waits for it has been cancelled."""

    def __init__(self, loop, promise):
        super().__init__(loop=loop)
        self._promise = promise

    def set_result(self, event):
        if not self.cancelled():
            return super().set_result(event)
        try:
            runtime.promise_get_result(event, self._promise)
        except Err:
            pass


class _Pause:
    """A wait of the host's that no coroutine waits for: `call` gets a turn when it is over."""

    def __init__(self, loop, call, nanoseconds, told):
        self._told = told
        self._rest = monotonic_clock.wait_for(nanoseconds)
        loop.pausing = True
        try:
            waitable = self._rest.send(None)
        except StopIteration:
            # It was over at once.
            self.is_over = True
        else:
            self.is_over = False
            call.watch(waitable, self)
        finally:
            loop.pausing = False

    def set_result(self, event):
        try:
            self._rest.send(event)
        except StopIteration:
            pass
        self._told()


class _Timer(asyncio.TimerHandle):
    __slots__ = ("call",)


class Loop(BaseEventLoop):
    """See the module."""

    def __init__(self):
        # What componentize-py notes where a call has failed.
        self.exception = None
        # The call whose turn it is.
        self.current = None
        self.pausing = False
        # What was queued and timed while the node was imported.
        self._early, self._early_timers = [], []
        # The times at which waits for timers end that are under way, the earliest first.
        self._pauses = []
        # A time that a pause has shown to be over: the clock of a node may stand still.
        self._reached = 0.0
        self._is_made = False
        super().__init__()
        self._is_made = True

    def time(self):
        return max(time.monotonic(), self._reached)

    def is_running(self):
        return self._is_made

    def run_in_executor(self, executor, func, *args):
        raise RuntimeError("a node has no threads, so that nothing can run in an executor")

    def _call_of(self, context):
        """The call that `context` is of, or, once that is over, the one whose turn it is."""
        call = context.get(support._future_state)
        return self.current if call is None or call.is_over else call

    def call_soon(self, callback, *args, context=None):
        context = copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self, context)
        self._queue(handle, self._call_of(context))
        return handle

    call_soon_threadsafe = call_soon

    def _queue(self, handle, call):
        if call is None:
            self._early.append(handle)
            return
        call.handles.append(handle)
        if call is not self.current and not call.is_woken:
            self._wake(call)

    def _wake(self, call):
        """Has the host give a turn to a call whose turn it is not."""

        def woken():
            call.is_woken = False

        call.is_woken = True
        # lp-host gives others their turns in no time. A host that is at once done with that has no turn to give for it.
        nanoseconds = 0
        while _Pause(self, call, nanoseconds, woken).is_over:
            nanoseconds = max(1_000_000, 2 * nanoseconds)

    # Timers.

    def call_later(self, delay, callback, *args, context=None):
        if delay is None:
            raise TypeError("delay must not be None")
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        if when is None:
            raise TypeError("when cannot be None")
        context = copy_context() if context is None else context
        timer = _Timer(when, callback, args, self, context)
        timer.call = self._call_of(context)
        if timer.call is None:
            self._early_timers.append(timer)
        else:
            timer.call.timers += 1
        timer._scheduled = True
        heapq.heappush(self._scheduled, timer)
        return timer

    def _timer_handle_cancelled(self, timer):
        # What is left of it goes when its time has come, unless most timers are such leftovers.
        if timer._scheduled:
            timer._scheduled = False
            if timer.call is not None:
                timer.call.timers -= 1
            self._timer_cancelled_count += 1
            if self._timer_cancelled_count > 100 and 2 * self._timer_cancelled_count > len(self._scheduled):
                self._scheduled = [left for left in self._scheduled if left._scheduled]
                heapq.heapify(self._scheduled)
                self._timer_cancelled_count = 0

    def _next_timer(self):
        while self._scheduled and not self._scheduled[0]._scheduled:
            heapq.heappop(self._scheduled)
            self._timer_cancelled_count = max(0, self._timer_cancelled_count - 1)
        return self._scheduled[0] if self._scheduled else None

    def _run_timers(self):
        """Queues what is due."""
        now = self.time()
        while (timer := self._next_timer()) is not None and timer._when <= now:
            heapq.heappop(self._scheduled)
            timer._scheduled = False
            if timer.call is not None:
                timer.call.timers -= 1
            self._queue(timer, timer.call)

    def _wait_for_timers(self, call):
        """Has `call` wait until the next timer is due, unless a call waits already for that or something earlier.

        Nothing ends a wait of the host's early. So one whose timer was cancelled goes on, and serves those that come after it.
        """
        while (timer := self._next_timer()) is not None and (not self._pauses or self._pauses[0] > timer._when):
            when = timer._when

            def over(when=when):
                self._reached = max(self._reached, when)
                self._pauses.remove(when)
                heapq.heapify(self._pauses)

            if _Pause(self, call, max(1, int((when - self.time()) * 1e9) + 1), over).is_over:
                self._reached = max(self._reached, when)
                self._run_timers()
            else:
                heapq.heappush(self._pauses, when)

    # Turns.

    def begin(self, call):
        """A call begins with its first turn."""
        self.current = call

    def turn(self, call):
        """Runs what is queued for `call`, and what that queues. The answer tells the host what to do with the call next."""
        self.current = call
        self._adopt(call)
        for _ in range(_ROUNDS_MAX):
            self._run_timers()
            handles, call.handles = call.handles, []
            for handle in handles:
                if not handle._cancelled:
                    handle._run()
                if self.exception is not None:
                    raise self.exception
            if not call.handles:
                break
        self._wait_for_timers(call)
        self.current = None
        return self._next_step(call)

    def _adopt(self, call):
        """Gives what was begun before any call to the first one."""
        call.handles[:0] = self._early
        timers = [timer for timer in self._early_timers if timer._scheduled]
        for timer in timers:
            timer.call = call
        call.timers += len(timers)
        self._early, self._early_timers = [], []

    def _next_step(self, call):
        call.is_first_turn = False
        if call.handles:
            runtime.context_set(call)
            return support._CallbackCode.YIELD
        if call.pending_count > 0 or call.futures or call.timers > 0:
            runtime.context_set(call)
            return support._CallbackCode.WAIT | (call.set() << 4)
        # What it has left waits for nothing but other calls, and goes on in the turns of those.
        call.is_over = True
        if call.waitable_set is not None:
            runtime.waitable_set_drop(call.waitable_set)
        return support._CallbackCode.EXIT


_loop = Loop()


@types.coroutine
def _pause(waitable):
    return (yield waitable)


async def _await_result(result):
    if isinstance(result, Ok):
        return result.value
    waitable, promise = result.value
    if _loop.pausing:
        return runtime.promise_get_result(await _pause(waitable), promise)
    answer = _Answer(_loop, promise)
    _loop.current.watch(waitable, answer)
    return runtime.promise_get_result(await answer, promise)


async def _return_result(export, borrows, coroutine):
    call = _loop.current
    try:
        try:
            result = Ok(await coroutine)
        except Err as error:
            result = error
        runtime.call_task_return(export, borrows, result)
    except asyncio.CancelledError as error:
        failure = RuntimeError("the node has cancelled the call that it works on")
        failure.__cause__ = error
        _loop.exception = failure
    except Exception as error:
        _loop.exception = error
    call.pending_count -= 1


def _first_poll(export, borrows, coroutine):
    call, context = _Call(), Context()
    context.run(support._set_future_state, call)
    _loop.begin(call)
    asyncio.Task(_return_result(export, borrows, coroutine), loop=_loop, context=context)
    return _poll(call)


def _poll(call):
    try:
        return _loop.turn(call)
    except BaseException:
        # What happens in the first turn, the runtime prints as well as this does; what happens later, in one line.
        if not call.is_first_turn:
            traceback.print_exc()
        raise


def complete():
    """Puts the loop in the place of that of componentize-py."""
    support._loop = _loop
    support._poll, support.first_poll, support.await_result = _poll, _first_poll, _await_result
    asyncio.set_event_loop(_loop)
    asyncio.events._set_running_loop(_loop)
    sys.set_asyncgen_hooks(firstiter=_loop._asyncgen_firstiter_hook, finalizer=_loop._asyncgen_finalizer_hook)
