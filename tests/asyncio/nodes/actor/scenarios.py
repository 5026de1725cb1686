"""What asyncio does, each time the same in CPython and in a node: a scenario says lines, and both must say the same ones."""

import asyncio
import contextvars
import gc


async def futures_are_completed_by_callbacks(say):
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(future.set_result, 7)
    say(await future)


async def callbacks_of_a_future_come_in_order(say):
    future = asyncio.get_running_loop().create_future()
    for name in "abc":
        future.add_done_callback(lambda done, name=name: say(name, done.result()))
    future.set_result(1)
    say("set")
    await asyncio.sleep(0)


async def an_event_wakes_all(say):
    event = asyncio.Event()

    async def wait(name):
        await event.wait()
        say(name, event.is_set())

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(wait(name))
        await asyncio.sleep(0)
        say("setting")
        event.set()


async def a_lock_is_fair(say):
    lock = asyncio.Lock()

    async def work(name):
        async with lock:
            say(name, "in")
            await asyncio.sleep(0.001)
            say(name, "out")

    await asyncio.gather(*(work(name) for name in "abc"))
    say(lock.locked())


async def a_lock_that_nobody_holds_is_no_wait(say):
    lock = asyncio.Lock()
    task = asyncio.create_task(asyncio.sleep(0))
    async with lock:
        say("in", task.done())
    await task


async def a_condition_notifies(say):
    condition, items = asyncio.Condition(), []

    async def take(name):
        async with condition:
            await condition.wait_for(lambda: items)
            say(name, items.pop(0))

    tasks = [asyncio.create_task(take(name)) for name in "ab"]
    for item in (1, 2):
        await asyncio.sleep(0)
        async with condition:
            items.append(item)
            condition.notify_all()
    await asyncio.gather(*tasks)


async def a_queue_keeps_the_order(say):
    queue = asyncio.Queue(maxsize=2)

    async def produce():
        for item in range(5):
            await queue.put(item)
            say("put", item, queue.qsize())

    producer = asyncio.create_task(produce())
    for _ in range(5):
        await asyncio.sleep(0)
        say("got", await queue.get())
        queue.task_done()
    await producer
    await queue.join()
    say(queue.empty())


async def a_priority_queue_sorts(say):
    queue = asyncio.PriorityQueue()
    for item in (3, 1, 2):
        queue.put_nowait(item)
    say(*[await queue.get() for _ in range(3)])


async def a_semaphore_bounds(say):
    semaphore, inside, most = asyncio.Semaphore(2), 0, 0

    async def work():
        nonlocal inside, most
        async with semaphore:
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(work() for _ in range(7)))
    say(most, inside)


async def a_barrier_lets_all_go(say):
    barrier = asyncio.Barrier(3)

    async def work(name):
        place = await barrier.wait()
        say(name, place)

    await asyncio.gather(*(work(name) for name in "abc"))


async def sleep_zero_lets_others_run(say):
    async def count(name):
        for number in range(3):
            say(name, number)
            await asyncio.sleep(0)

    await asyncio.gather(count("a"), count("b"))


async def sleeps_end_by_their_times(say):
    async def sleep(time):
        await asyncio.sleep(time)
        say(time)

    await asyncio.gather(*(sleep(time) for time in (0.03, 0.01, 0.02)))


async def call_soon_comes_before_timers(say):
    loop = asyncio.get_running_loop()
    loop.call_later(0.002, say, "later")
    loop.call_soon(say, "soon")
    loop.call_at(loop.time() + 0.001, say, "at")
    await asyncio.sleep(0.01)


async def a_timer_that_is_cancelled_does_not_run(say):
    loop = asyncio.get_running_loop()
    timer = loop.call_later(0.001, say, "never")
    say(timer.cancelled(), timer.when() > loop.time())
    timer.cancel()
    await asyncio.sleep(0.005)
    say(timer.cancelled())


async def wait_for_gives_up(say):
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.001)
    except TimeoutError:
        say("timeout")
    say(await asyncio.wait_for(asyncio.sleep(0.001, "done"), 60))


async def a_timeout_can_be_moved(say):
    async with asyncio.timeout(60) as timeout:
        timeout.reschedule(asyncio.get_running_loop().time() + 60)
        await asyncio.sleep(0.001)
    say(timeout.expired())
    try:
        async with asyncio.timeout(None) as timeout:
            timeout.reschedule(asyncio.get_running_loop().time() + 0.001)
            await asyncio.sleep(60)
    except TimeoutError:
        say(timeout.expired())


async def a_timeout_inside_of_a_timeout(say):
    try:
        async with asyncio.timeout(0.001):
            try:
                async with asyncio.timeout(60):
                    await asyncio.sleep(60)
            finally:
                say("inner ends")
    except TimeoutError:
        say("outer ends")


async def a_cancelled_task_cleans_up(say):
    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as error:
            say("cancelled", *error.args)
            raise
        finally:
            say("finally")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    say(task.cancel("enough"))
    try:
        await task
    except asyncio.CancelledError:
        say(task.cancelled())


async def a_task_may_refuse_to_be_cancelled(say):
    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()
            return "stays"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    say(await task, task.cancelled(), task.cancelling())


async def a_task_cancelled_before_it_starts_never_runs(say):
    async def work():
        say("never")

    task = asyncio.create_task(work())
    task.cancel()
    say(await asyncio.gather(task, return_exceptions=True))


async def shield_keeps_what_is_inside(say):
    inner = asyncio.create_task(asyncio.sleep(0.2, "inside"))
    try:
        await asyncio.wait_for(asyncio.shield(inner), 0.001)
    except TimeoutError:
        say("outside", inner.done())
    say(await inner)


async def gather_keeps_the_order_of_its_arguments(say):
    say(await asyncio.gather(*(asyncio.sleep(time, time) for time in (0.003, 0.001, 0.002))))


async def gather_gives_the_first_exception(say):
    async def fail(time, text):
        await asyncio.sleep(time)
        raise ValueError(text)

    try:
        await asyncio.gather(fail(0.002, "second"), fail(0.001, "first"), asyncio.sleep(0.003))
    except ValueError as error:
        say(error)
    await asyncio.sleep(0.005)
    say([str(it) for it in await asyncio.gather(fail(0, "a"), asyncio.sleep(0, 1), return_exceptions=True)])


async def wait_says_what_is_done(say):
    tasks = [asyncio.create_task(asyncio.sleep(time, time)) for time in (0.001, 60)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    say(len(done), len(pending), done.pop().result())
    pending.pop().cancel()
    done, pending = await asyncio.wait(tasks, timeout=0.001)
    say(len(done), len(pending))


async def as_completed_comes_by_time(say):
    for next_one in asyncio.as_completed([asyncio.sleep(time, time) for time in (0.02, 0.001)]):
        say(await next_one)


async def a_task_group_cancels_the_others(say):
    async def fail():
        await asyncio.sleep(0.001)
        raise ValueError("one")

    async def wait():
        try:
            await asyncio.sleep(60)
        finally:
            say("cancelled")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(wait())
    except* ValueError as errors:
        say([str(error) for error in errors.exceptions])


async def task_groups_nest(say):
    async with asyncio.TaskGroup() as outer:
        async with asyncio.TaskGroup() as inner:
            inner.create_task(asyncio.sleep(0.001)).add_done_callback(lambda _: say("inner"))
        outer.create_task(asyncio.sleep(0.001)).add_done_callback(lambda _: say("outer"))
    say("both")


async def an_async_generator_is_closed(say):
    async def numbers():
        try:
            for number in range(5):
                await asyncio.sleep(0)
                yield number
        finally:
            await asyncio.sleep(0)
            say("closed")

    generator = numbers()
    async for number in generator:
        say(number)
        if number == 1:
            break
    await generator.aclose()
    say([number async for number in numbers()])


async def an_async_generator_that_nobody_closes_is_closed_too(say):
    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            say("closed")

    async for number in numbers():
        say(number)
        break
    gc.collect()
    await asyncio.sleep(0.001)


async def async_context_managers_and_comprehensions(say):
    class Manager:
        async def __aenter__(self):
            await asyncio.sleep(0)
            return self

        async def __aexit__(self, kind, error, _):
            await asyncio.sleep(0)
            say(kind.__name__, error)
            return True

    async with Manager():
        raise KeyError("inside")
    say([await asyncio.sleep(0, number) for number in range(3)])


async def an_exception_that_nobody_awaits_goes_to_the_handler(say):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: say(context["message"], repr(context["exception"])))

    async def fail():
        raise ValueError("unseen")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    del task
    gc.collect()
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    say(loop.get_exception_handler())


async def an_exception_of_a_callback_goes_to_the_handler(say):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: say(repr(context["exception"])))

    def fail():
        raise ValueError("in a callback")

    loop.call_soon(fail)
    await asyncio.sleep(0)
    loop.set_exception_handler(None)
    say("goes on")


async def an_exception_has_its_cause(say):
    async def fail():
        try:
            await asyncio.sleep(0)
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError("outer") from error

    try:
        await asyncio.create_task(fail())
    except ValueError as error:
        say(error, repr(error.__cause__))


async def context_variables_belong_to_tasks(say):
    variable = contextvars.ContextVar("variable", default="none")
    variable.set("outer")

    async def work():
        say(variable.get())
        variable.set("inner")
        await asyncio.sleep(0)
        say(variable.get())

    await asyncio.create_task(work())
    say(variable.get())
    await asyncio.create_task(work(), context=contextvars.Context())


async def tasks_have_names(say):
    task = asyncio.create_task(asyncio.sleep(0), name="sleeper")
    say(task.get_name(), task in asyncio.all_tasks())
    await task
    say(task in asyncio.all_tasks(), asyncio.current_task() is not None)


async def a_future_keeps_its_exception(say):
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("kept"))
    for _ in range(2):
        try:
            await future
        except ValueError as error:
            say(error)
    try:
        future.set_result(1)
    except asyncio.InvalidStateError:
        say("done already")


async def call_soon_has_arguments_and_a_context(say):
    variable = contextvars.ContextVar("variable")
    context = contextvars.Context()
    context.run(variable.set, "its own")
    loop = asyncio.get_running_loop()
    loop.call_soon(lambda a, b: say(a, b, variable.get()), 1, 2, context=context)
    loop.call_soon_threadsafe(say, "threadsafe")
    loop.call_soon(say, "cancelled").cancel()
    await asyncio.sleep(0)


async def a_hundred_thousand_timers(say):
    loop = asyncio.get_running_loop()
    ran = 0

    def run():
        nonlocal ran
        ran += 1

    timers = [loop.call_later(0.001 + number % 10 / 1000, run) for number in range(100_000)]
    for timer in timers[::2]:
        timer.cancel()
    await asyncio.sleep(0.5)
    say(ran)


async def many_tasks(say):
    async def work(number):
        await asyncio.sleep(0)
        await asyncio.sleep(number % 3 / 1000)
        return number

    say(sum(await asyncio.gather(*(work(number) for number in range(1000)))))


async def awaitables_of_ones_own(say):
    class Twice:
        def __await__(self):
            yield from asyncio.sleep(0).__await__()
            return (yield from asyncio.sleep(0, "twice").__await__())

    say(await Twice())
    say(await asyncio.ensure_future(Twice()))


async def run_in_the_loop_that_runs_is_refused(say):
    coroutine = asyncio.sleep(0)
    try:
        asyncio.run(coroutine)
    except RuntimeError as error:
        say(error)
    coroutine.close()


ALL = {name: it for name, it in list(globals().items()) if asyncio.iscoroutinefunction(it)}


async def play(name):
    lines = []
    await ALL[name](lambda *words: lines.append(" ".join(map(str, words))))
    return lines


if __name__ == "__main__":
    import json
    import sys

    names = sys.argv[1:] or ALL
    json.dump({name: asyncio.run(play(name)) for name in names}, sys.stdout)
