"""Makes calls that wait for each other, and checks that each gets its own answer."""

import asyncio
import json
import random

import lp
from wit_world import exports
from wit_world.imports import stage_handles

# Fewer than a replica works on at once.
AT_ONCE = 100


async def link(actor, first):
    """Calls in a random order, each of which waits for some of those that come before it in another random order."""
    order = random.sample(range(AT_ONCE), AT_ONCE)
    calls = []
    for place, number in enumerate(order):
        waits = random.sample(order[:place], min(place, random.randrange(3)))
        calls.append(([first + wait for wait in waits], [first + number], first + number))
    random.shuffle(calls)
    return await asyncio.gather(*(actor.link(*call) for call in calls)) == [tag for _, _, tag in calls]


async def share(actor, through, first):
    tags = list(range(first, first + AT_ONCE))
    return await asyncio.gather(*(actor.share(through, tag) for tag in tags)) == tags


async def main():
    [actor] = stage_handles.all("stage")
    said = {name: await actor.play(name) for name in await actor.names()}
    print(json.dumps(said))
    for number in range(lp.config("rounds", 100, int)):
        assert await link(actor, number * AT_ONCE)
    print("linked")
    for through in ("future", "lock", "queue", "condition", "semaphore", "barrier", "timeout"):
        for number in range(lp.config("shares", 3, int)):
            assert await share(actor, through, number * AT_ONCE)
        print("shared", through)
    first = 1_000_000
    await actor.leave(first, first + 1)
    waiting = asyncio.create_task(actor.link([first + 1], [], 7))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await actor.link([], [first], 0)
    assert await waiting == 7
    print("left")


class Run(exports.Run):
    async def run(self):
        await main()
