"""Plays scenarios of asyncio, alone and between calls."""

import asyncio
import collections

import scenarios
from wit_world import exports

events = collections.defaultdict(asyncio.Event)
lock, queue, condition = asyncio.Lock(), asyncio.Queue(), asyncio.Condition()
semaphore, barrier = asyncio.Semaphore(3), asyncio.Barrier(2)
futures, held, tasks = {}, [], set()


async def through_future(tag):
    # The first of two calls waits for what the second one says.
    if tag ^ 1 in futures:
        futures.pop(tag ^ 1).set_result(tag)
    else:
        futures[tag] = asyncio.get_running_loop().create_future()
        assert await futures[tag] == tag ^ 1


async def through_lock(tag):
    async with lock:
        assert not held
        held.append(tag)
        await asyncio.sleep(0)
        assert held.pop() == tag


async def through_queue(tag):
    if tag % 2:
        await queue.put(tag)
    else:
        assert await queue.get() % 2


async def through_condition(tag):
    async with condition:
        held.append(tag)
        condition.notify_all()
        await condition.wait_for(lambda: tag ^ 1 in held)


async def through_semaphore(tag):
    async with semaphore:
        await asyncio.sleep(0.001 * (tag % 2))


async def through_barrier(tag):
    await barrier.wait()


async def through_timeout(tag):
    event = asyncio.Event()
    try:
        async with asyncio.timeout(0.001 if tag % 2 else 60):
            asyncio.get_running_loop().call_soon(lambda: None if tag % 2 else event.set())
            await event.wait()
        assert not tag % 2
    except TimeoutError:
        assert tag % 2


class Stage(exports.Stage):
    def names(self):
        return list(scenarios.ALL)

    async def play(self, name):
        return await scenarios.play(name)

    async def link(self, waits, sets, tag):
        for wait in waits:
            await events[wait].wait()
        for number in sets:
            events[number].set()
        return tag

    async def share(self, through, tag):
        await globals()[f"through_{through}"](tag)
        return tag

    async def leave(self, waits, sets):
        async def wait():
            await events[waits].wait()
            await asyncio.sleep(0.001)
            events[sets].set()

        task = asyncio.create_task(wait())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
