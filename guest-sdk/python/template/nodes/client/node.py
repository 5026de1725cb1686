"""The client: has every counter count at once, and stops the program."""

import asyncio

import lp
from wit_world import exports
from wit_world.imports import counter_handles


class Run(exports.Run):
    async def run(self):
        counters = counter_handles.all("counters")
        for n in range(1, 4):
            sums = await asyncio.gather(*(counter.add(n) for counter in counters))
            print(f"after adding {n}: {sums}")
        lp.program.stop()
