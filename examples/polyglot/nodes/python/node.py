"""The guide: has every greeter greet at once, prints the greetings, and stops the program."""

import asyncio

import lp
from wit_world import exports
from wit_world.imports import greeter_handles


class Run(exports.Run):
    async def run(self):
        greeters = greeter_handles.all("greeters")
        for greeting in await asyncio.gather(*(greeter.greet("guide") for greeter in greeters)):
            print(greeting)
        lp.program.stop()
