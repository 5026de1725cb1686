"""Prints a line."""

import lp
from wit_world import exports


class Run(exports.Run):
    async def run(self):
        place, count = lp.program.replica_index() + 1, lp.program.replica_count()
        print(f"hello, {lp.config('name')}, from Python: {place} of {count}")
