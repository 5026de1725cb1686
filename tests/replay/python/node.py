"""Writes to a replay node, samples from it and changes it by `lp_replay`, and prints what came of it."""

import asyncio
import os
import re
from array import array

import lp
import lp_replay
from lp_replay import Tensor, step, steps
from wit_world import exports

# Of each type what comes back as it was: the type, the values, and what `view` or `tolist` gives.
VALUES = {
    "float16": [0.5, -2.0],
    "float32": [1.5, -2.5],
    "float64": [0.1, 1e300],
    "int8": [-128, 127],
    "int16": [-32768, 32767],
    "int32": [-(2**31), 2**31 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint8": [0, 255],
    "uint16": [0, 65535],
    "uint32": [0, 2**32 - 1],
    "uint64": [0, 2**64 - 1],
    "boolean": [True, False],
    "complex64": [1 + 2j, -1j],
    "complex128": [0.1 + 0.2j, 3],
    "bfloat16": [1.0, -0.5],
    "bytes": [b"", "näh".encode() * 100],
}


def refused(make):
    try:
        make()
    except (TypeError, ValueError, LookupError) as error:
        print(f"{type(error).__name__}: {error}")


def check_tensors():
    """What needs no replay node."""
    matrix = Tensor("float32", [[1, 2, 3], [4, 5, 6]])
    assert (matrix.shape, matrix.view[1, 2], matrix[1].tolist(), len(matrix)) == ((2, 3), 6.0, [4.0, 5.0, 6.0], 2)
    assert matrix.array == array("f", [1, 2, 3, 4, 5, 6]) and matrix[-1][0] == 4.0
    assert Tensor.of(array("d", [1, 2])) == Tensor("float64", [1, 2])
    assert Tensor.of(memoryview(matrix.view)) == matrix
    assert Tensor.of([[1, 2], [3, 4.5]]) == Tensor("float64", [[1, 2], [3, 4.5]])
    assert Tensor.of(7) == Tensor("int64", 7) and Tensor.of(True).dtype == "boolean" and Tensor("int8", 7).tolist() == 7
    assert Tensor.of(["a", "b"])[1] == b"b" and Tensor("bytes", [["a"], ["b"]])[1].tolist() == [b"b"]
    assert Tensor("uint8", b"abc").tolist() == [97, 98, 99]
    assert Tensor("int32", array("i", range(6)), (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]
    refused(lambda: Tensor("float31", 1))
    refused(lambda: Tensor("float32", [1, 2, 3], (2, 2)))
    refused(lambda: Tensor("float32", [[1, 2], [3]]))
    refused(lambda: Tensor("int32", b"abc"))
    refused(lambda: Tensor.of(None))
    refused(lambda: Tensor("bfloat16", [1]).view)


async def check_types(writers, sampler):
    """All types at once, each as a column of its own."""
    async with writers.writer() as writer:
        for row in range(2):
            first = writer.append(*(Tensor(dtype, values[row]) for dtype, values in VALUES.items()))
        writer.item("types", 1.0, [steps(column, range(first - 1, first + 1)) for column in range(len(VALUES))])
    [item] = await sampler.items("types", 1)
    for column, (dtype, values) in zip(item.columns, VALUES.items(), strict=True):
        assert (column.dtype, column.shape, column.tolist()) == (dtype, (2,), values), (column, column.tolist())


async def check_trajectories(writers, sampler, admin):
    """Columns of different lengths, with gaps, over flushes and episodes."""
    writer = writers.writer(keep=4)
    for number in range(4):
        assert writer.append(array("f", [number, -number]), Tensor("int32", number)) == number
        await writer.flush()
    refused(lambda: (writer.append(array("f", [0]), 1), writer.append(array("f", [0, 1]), 1)))
    writer = writers.writer(keep=4)
    numbers = [writer.append(array("f", [number, -number]), Tensor("int32", number)) for number in range(4)]
    writer.item("experience", 1.0, [step(0, numbers[-1]), steps(1, numbers[::2]), steps(1, numbers)])
    [key] = await writer.flush()
    [item] = await sampler.items("experience", 1)
    assert item.key == key and item.info.times_sampled == 1 and item.info.priority == 1.0
    assert [column.tolist() for column in item.columns] == [[3.0, -3.0], [0, 2], [0, 1, 2, 3]]
    await admin.reset("experience")
    assert (await sampler.info())[0]["experience"].size == 0


async def check_samples(writers, sampler, admin):
    """Batches, priorities, deletion, and what waits."""
    keys = []
    async with writers.writer() as writer:
        for number in range(8):
            at = writer.append(array("f", [number] * 4), Tensor("int64", number))
            writer.item("experience", 0.0 if number else 2.0, [step(0, at), step(1, at)])
            keys += await writer.flush()
    batch = await sampler.sample("experience", 16)
    assert len(batch) == 16 and batch.columns[0].shape == (16, 4) and set(batch.columns[1].view) == {0}
    assert batch.columns[0].view[15, 3] == 0.0 and batch.infos[0].table_size == 8
    await writers.update("experience", {keys[0]: 0.0, keys[5]: 3.0})
    batch = await sampler.sample("experience", 3)
    assert set(batch.keys) == {keys[5]} and list(batch.columns[1].view) == [5, 5, 5]
    await writers.update("experience", dict.fromkeys(keys, 1.0))
    await writers.delete("experience", keys[4:])
    batch = await sampler.sample("experience", 10, distinct=True, timeout=0)
    assert sorted(batch.columns[1].view) == [0, 1, 2, 3]
    await admin.set_rate_limiter("experience", min_size=5)
    assert [batch async for batch in sampler.batches("experience", 1, timeout=0.01)] == []
    waiting = asyncio.create_task(sampler.sample("experience", 1))
    while not (info := (await sampler.info())[0]["experience"]).waits:
        await asyncio.sleep(0)
    print(info.waits[0].what, "waits:", info.waits[0].reason)
    await admin.set_rate_limiter("experience", min_size=1)
    assert len(await waiting) == 1


async def check_errors(writers, sampler, admin):
    """What the node says, and what is wrong before it is asked."""
    calls = [sampler.sample("nowhere", 1), writers.delete("nowhere", []), writers.update("experience", {lp_replay.Key(0, 1): -1.0})]
    calls += [sampler.sample("experience", 0), admin.reset("nowhere")]
    for error in await asyncio.gather(*calls, return_exceptions=True):
        print(error.value if isinstance(error, lp.Err) else error)
    for make in (lp_replay.Sampler, lp_replay.Admin):
        refused(lambda make=make: make("elsewhere"))


async def check_parts():
    """A node of two replicas: episodes take turns, and samples come from both."""
    writers, sampler = lp_replay.Writers("parts"), lp_replay.Sampler("parts")
    writer, keys = writers.writer(), []
    for number in range(4):
        writer.item("experience", 1.0, [step(0, writer.append(Tensor("int32", number)))])
        keys += await writer.end_episode()
    assert [key.shard for key in keys] == [0, 1, 0, 1]
    batch = await sampler.sample("experience", 5)
    found = dict(zip(batch.keys, batch.columns[0].view))
    assert len(batch) == 5 and {key.shard for key in found} == {0, 1}
    assert all(keys[number] == key for key, number in found.items())
    await writers.delete("experience", [keys[0], keys[1], keys[3]])
    assert [part["experience"].size for part in await sampler.info()] == [1, 0]
    await writers.update("experience", {keys[2]: 7.0})
    # One of the parts has nothing in time.
    [item] = await sampler.items("experience", 2, timeout=0.05)
    assert (item.key, item.info.priority, item.columns[0].tolist()) == (keys[2], 7.0, 2)


async def refused_by_node(what, write):
    try:
        await write
        print(what, "was taken")
    except lp.Err as error:
        # The keys of chunks, which are by chance, are not all equally long.
        print(what, "->", re.sub(r"\b2097\d{3}\b", "2097nnn", error.value.value))


async def check_refusals(writers, sampler):
    """What a node says of what it does not take. It goes on as before each time."""

    def written(tensor, column=step, table="experience", numbers=0):
        writer = writers.writer()
        writer.append(tensor)
        writer.item(table, 1.0, [column(0, numbers)])
        return writer.flush()

    before = [part["experience"].size for part in await sampler.info()]
    await refused_by_node("a shape of more", written(Tensor._raw("float32", (3,), bytes(8))))
    await refused_by_node("a shape of too much", written(Tensor._raw("float32", (2**32 - 1,) * 3, b"")))
    await refused_by_node("texts that are cut", written(Tensor._raw("bytes", (), b"\x05ab")))
    await refused_by_node("another table", written(Tensor("float32", 1), table="nowhere"))
    await refused_by_node("another column", written(Tensor("float32", 1), lambda _, n: step(1, n)))
    await refused_by_node("another step", written(Tensor("float32", 1), numbers=7))
    await refused_by_node("no step", written(Tensor("float32", 1), steps, numbers=[]))
    writer = writers.writer(keep=2)
    writer.append(Tensor("float32", 1))
    await writer.flush()
    writer.append(Tensor("int32", 1))
    writer.item("experience", 1.0, [steps(0, [0, 1])])
    await refused_by_node("another dtype than before", writer.flush())
    assert before == [part["experience"].size for part in await sampler.info()]
    refused(lambda: lp_replay.Writers("look"))
    assert len(await lp_replay.Sampler("look").sample("experience", 1)) == 1


async def check_memory():
    """A node of 1 MiB that blocks at its limit."""
    writers, sampler = lp_replay.Writers("small"), lp_replay.Sampler("small")

    def written(kib):
        # What a writer holds for later items counts too, also if the item was refused.
        writer = writers.writer(keep=0)
        # What is not by chance takes less.
        writer.append(Tensor("uint8", os.urandom(kib << 10)))
        writer.item("experience", 1.0, [step(0, 0)])
        return writer.flush()

    [first] = await written(400)
    await written(400)
    await refused_by_node("an item beyond the memory", written(2048))
    waiting = asyncio.create_task(written(400))
    while not (info := (await sampler.info())[0]["experience"]).waits:
        await asyncio.sleep(0)
    print(info.waits[0].what, "waits")
    await writers.delete("experience", [first])
    await waiting
    assert (await sampler.info())[0]["experience"].size == 2


class Run(exports.Run):
    async def run(self):
        check_tensors()
        writers, sampler, admin = lp_replay.Writers("replay"), lp_replay.Sampler("replay"), lp_replay.Admin("replay")
        await check_types(writers, sampler)
        await check_trajectories(writers, sampler, admin)
        await check_samples(writers, sampler, admin)
        await check_errors(writers, sampler, admin)
        await check_parts()
        await check_refusals(writers, sampler)
        await check_memory()
        [path] = await admin.checkpoint()
        print("a checkpoint was written" if "checkpoints" in path else path)
