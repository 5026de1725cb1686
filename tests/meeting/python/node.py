"""Passes calls on to the meeting, and makes many such calls at once."""

import asyncio

import lp
from wit_world import exports
from wit_world.imports import meeting, relay_handles


class Relay(exports.Relay):
    async def pass_(self, of):
        return await meeting.meet(of)

    async def size(self, bytes):
        return len(bytes)

    async def length(self, text):
        return len(text)


class Run(exports.Run):
    async def run(self):
        [relay] = relay_handles.all("relay")
        met = await asyncio.gather(*(relay.pass_(100) for _ in range(100)))
        print(f"{len(met)} calls met {max(met)}")
        # Not bytes, whose memory componentize-py keeps: see docs/languages.md.
        calls, text = int(lp.config("calls", default=0)), "x" * 1024
        for _ in range(calls):
            if await relay.length(text) != len(text):
                raise AssertionError("text was lost")
        lp.program.stop()
