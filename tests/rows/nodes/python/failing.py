"""A module that fails in every way, and what a caller sees of it."""

import lp
from wit_world import exports
from wit_world.imports import fails_handles

# By the name that a caller gives.
WAYS = ["an exception", "`raise lp.Err(\"no\")`", "`raise lp.Err(4242)`", "`return lp.Err(4242)`", "a wrong type", "a failed call"]


def fail(way):
    match way:
        case "none":
            return 1
        case "an exception":
            raise ValueError("a bug")
        case '`raise lp.Err("no")`':
            raise lp.Err("no")
        case "`raise lp.Err(4242)`":
            raise lp.Err(4242)
        case "`return lp.Err(4242)`":
            return lp.Err(4242)
        case "a wrong type":
            return b"bytes"


async def fail_later(way):
    if way == "a failed call":
        await fails_handles.all("fails")[0].nothing("an exception")
    return fail(way)


class Fails(exports.Fails):
    def plain(self, way):
        return fail(way)

    async def later(self, way):
        return await fail_later(way)

    async def maybe(self, way):
        return await fail_later(way)

    async def nothing(self, way):
        return await fail_later(way)

    def checked(self, way):
        return fail(way)

    async def checked_later(self, way):
        return await fail_later(way)


async def seen(function, way):
    try:
        value = await function(way)
    except lp.Err as error:
        return "the call fails" if type(error.value).__name__.endswith("Failed") else f"{error.value}"
    match value:
        case lp.Err(value=value):
            return f"`err({value!r})`"
        case None:
            return "no value: it returns"
    return f"**{value!r}**"


async def table():
    [node] = fails_handles.all("fails")
    kinds = [node.plain, node.later, node.maybe, node.nothing, node.checked, node.checked_later]
    rows = []
    for way in WAYS:
        rows.append([way])
        for function in kinds:
            if way == "a failed call" and function in (node.plain, node.checked):
                rows[-1].append("can't wait for one")
                continue
            rows[-1].append(await seen(function, way))
            # A call that failed may have ended the replica: the next one is for the next life.
            while await seen(node.later, "none") != "**1**":
                pass
    return rows
