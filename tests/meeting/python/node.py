"""Passes calls on to the meeting, and makes many such calls at once."""

import asyncio

import lp
from wit_world import exports
from wit_world.imports import meeting, relay_handles


class Relay(exports.Relay):
    async def pass_(self, of):
        return await meeting.meet(of)

    async def echo(self, bytes):
        return bytes


class Run(exports.Run):
    async def run(self):
        [relay] = relay_handles.all("relay")
        met = await asyncio.gather(*(relay.pass_(100) for _ in range(100)))
        print(f"{len(met)} calls met {max(met)}")
        calls, kilobyte = int(lp.config("calls", default=0)), bytes(1024)
        for _ in range(calls):
            if await relay.echo(kilobyte) != kilobyte:
                raise AssertionError("bytes were lost")
        lp.program.stop()
