"""A counter: keeps a sum."""

from wit_world import exports

total = 0


class Counter(exports.Counter):
    async def add(self, n):
        global total
        total += n
        return total
