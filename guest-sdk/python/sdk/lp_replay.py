"""Writes to replay nodes, and samples from them.

    writers = lp_replay.Writers("replay")  # the handle of program.toml
    writer = writers.writer(keep=2)
    first = writer.append(array("f", observation), lp_replay.Tensor("float32", reward))
    writer.item("experience", 1.0, [lp_replay.step(0, first), lp_replay.steps(1, range(first, first + 1))])
    await writer.flush()

    sampler = lp_replay.Sampler("replay")
    batch = await sampler.sample("experience", 32)
    observations = batch.columns[0].view  # a memoryview of the shape (32, 4)
    await writers.update("experience", {batch.keys[0]: 0.5})

The world imports what it uses of `lp:replay/writer-handles@0.1.0`, `reader-handles` and `admin-handles`. A failed call raises
`lp.Err`. A node of several replicas has its items in as many parts: a writer writes each episode to the next one, and samples
come from all.
"""

import asyncio as _asyncio
import importlib as _importlib
import os as _os
import sys as _sys
from dataclasses import dataclass as _dataclass

import lp as _lp
from lp_tensor import Tensor

# As Reverb has no bound.
_MAX = _sys.float_info.max

__all__ = ["Admin", "Batch", "Item", "Key", "Sampler", "Tensor", "Writer", "Writers", "step", "steps"]


def _imported(name):
    """An interface, or `None` if the world does not import it."""
    try:
        return _importlib.import_module(f"wit_world.imports.{name}")
    except ImportError:
        return None


# They are looked for when the component is made, since it has no files later.
_HANDLES = {name: _imported(f"{name}_handles") for name in ["reader", "writer", "admin"]}
_types = _imported("lp_replay_types")
_errors = _imported("lp_courier_types")


def _handles(interface, handle):
    module = _HANDLES[interface]
    if module is None:
        raise ImportError(f"the world of this node lacks `import lp:replay/{interface}-handles@0.1.0;`")
    found = module.all(handle)
    if not found:
        raise LookupError(f"no handle `{handle}` of this node leads to the `{interface}` of a replay node")
    return found


def _random():
    """A number by chance from the host: the module `random` has the state that it had when the component was made."""
    return int.from_bytes(_os.urandom(8))


@_dataclass(frozen=True)
class Key:
    """An item of a node: the part that it is in, and its key there."""

    shard: int
    key: int


@_dataclass
class Batch:
    """Samples whose columns are stacked: the first index of each is the sample."""

    keys: list
    infos: list
    columns: list

    def __len__(self):
        return len(self.keys)


@_dataclass
class Item:
    """One sample, whose columns are as long as they were written."""

    key: Key
    info: object
    columns: list


def step(source, number):
    """A column of an item: one step of column number `source`, as a value without steps."""
    return _types.Column(source, [_types.Span(number, 1)], True)


def steps(source, numbers):
    """A column of an item: these steps of column number `source`, in this order, such as `range(first, first + 3)`."""
    spans = []
    for number in numbers:
        if spans and spans[-1].first + spans[-1].count == number:
            spans[-1].count += 1
        else:
            spans.append(_types.Span(number, 1))
    return _types.Column(source, spans, False)


class Writers:
    """Writes to the node behind a handle that gives `"write"`. Nothing is called yet."""

    def __init__(self, handle):
        self._handle = handle
        self._shards = _handles("writer", handle)
        self._turn = _lp.program.replica_index()

    def writer(self, keep=1):
        """A `Writer` that holds its last `keep` steps for items."""
        first, self._turn = self._turn % len(self._shards), self._turn + 1
        return Writer(_handles("writer", self._handle), first, keep)

    async def update(self, table, priorities):
        """Gives items other priorities, by a dict or pairs. Those that are gone are passed over."""
        own = [[] for _ in self._shards]
        for key, priority in dict(priorities).items():
            own[key.shard].append(_types.Priority(key.key, priority))
        await _asyncio.gather(*(s.update(table, some) for s, some in zip(self._shards, own) if some))

    async def delete(self, table, keys):
        """Deletes items. Those that are gone are passed over."""
        own = [[] for _ in self._shards]
        for key in keys:
            own[key.shard].append(key.key)
        await _asyncio.gather(*(s.delete(table, some) for s, some in zip(self._shards, own) if some))


class Writer:
    """Writes steps of episodes: each episode to one part of the node, the next one to the next.

    Nothing is sent before `flush`. As `async with writers.writer() as writer:` it ends the episode at the end of the block.
    """

    def __init__(self, shards, shard, keep):
        self._shards, self._shard, self._keep = shards, shard, keep
        self._id, self._episode = _random(), _random()
        self._first = self.next = 0
        self._steps, self._items = [], []

    def append(self, *values):
        """Adds a step, with a value for each column, and returns its number. Steps are numbered through all episodes.

        A value is a `Tensor`, or what makes one; it has the same type and shape in all steps.
        """
        step = [value if isinstance(value, Tensor) else Tensor.of(value) for value in values]
        before = self._steps[0] if self._steps else step
        if [(t.dtype, t.shape) for t in before] != [(t.dtype, t.shape) for t in step]:
            raise ValueError(f"a step has the columns of those before, which are {before}, and not {step}")
        self._steps.append(step)
        self.next += 1
        return self.next - 1

    def item(self, table, priority, columns):
        """Has the next flush insert an item of these columns, whose steps were appended before: see `step` and `steps`."""
        self._items.append(_types.Item(table, priority, list(columns)))

    async def flush(self):
        """Sends what was appended, and returns the keys of the items once they are in their tables.

        If the call fails, its steps and items are gone.
        """
        steps, self._steps = self._steps, []
        items, self._items = self._items, []
        session = _types.Session(self._id, self._episode, self._first, self._keep)
        self._first, shard = self.next, self._shard
        columns = [Tensor.stacked(column)._as_wit(_types) for column in zip(*steps)]
        keys = await self._shards[shard].write(session, columns, items)
        return [Key(shard, key) for key in keys]

    async def end_episode(self):
        """Sends what was appended, and begins another episode.

        Of a node of several replicas, that is in another part, where items can't have steps of this one.
        """
        try:
            return await self.flush()
        finally:
            self._episode, self._shard = _random(), (self._shard + 1) % len(self._shards)

    async def __aenter__(self):
        return self

    async def __aexit__(self, kind, error, trace):
        if kind is None:
            await self.end_episode()


class Sampler:
    """Samples from the node behind a handle that gives `"read"`. Nothing is called yet."""

    def __init__(self, handle):
        self._readers = _handles("reader", handle)
        self._turn = _lp.program.replica_index()

    async def sample(self, table, count, *, timeout=None, distinct=False):
        """A `Batch` of `count` samples of a table whose items all look the same. Waits for its rate limiter.

        With a `timeout` in seconds it has what has come by then; nothing is a `deadline-exceeded`. With `distinct`, no item
        comes twice.
        """
        parts = await self._ask("sample_batch", table, count, timeout, distinct)
        keys = [Key(shard, info.key) for shard, batch in parts for info in batch.infos]
        infos = [info for _, batch in parts for info in batch.infos]
        columns = zip(*([Tensor._of_wit(column) for column in batch.columns] for _, batch in parts))
        return Batch(keys, infos, [Tensor.joined(column) for column in columns])

    async def items(self, table, count, *, timeout=None, distinct=False):
        """The same as a list of `Item`, each as long as it was written."""
        parts = await self._ask("sample", table, count, timeout, distinct)
        made = [(shard, sample) for shard, samples in parts for sample in samples]
        return [Item(Key(n, s.info.key), s.info, [Tensor._of_wit(c) for c in s.columns]) for n, s in made]

    async def batches(self, table, count, *, timeout=None, distinct=False):
        """Batches for `async for`, until the program stops, or nothing has come within the timeout."""
        while True:
            try:
                batch = await self.sample(table, count, timeout=timeout, distinct=distinct)
            except _lp.Err as error:
                if isinstance(error.value, (_errors.CallError_Cancelled, _errors.CallError_DeadlineExceeded)):
                    return
                raise
            yield batch

    async def info(self):
        """The figures of each table by its name: for each part of the node."""
        told = await _asyncio.gather(*(reader.info() for reader in self._readers))
        return [{table.name: table for table in tables} for tables in told]

    async def _ask(self, method, table, count, timeout, distinct):
        """What the parts say, by their numbers. Each gives its share of the samples."""
        parts, turn = len(self._readers), self._turn
        self._turn += 1
        timeout_ms = None if timeout is None else round(timeout * 1000)
        calls = {}
        for shard, reader in enumerate(self._readers):
            own = count // parts + ((shard - turn) % parts < count % parts)
            if own or count <= 0:
                calls[shard] = getattr(reader, method)(_types.Request(table, own, timeout_ms, distinct))
        results = await _asyncio.gather(*calls.values(), return_exceptions=True)
        came = [(shard, result) for shard, result in zip(calls, results) if not isinstance(result, BaseException)]
        for error in results:
            if isinstance(error, BaseException):
                late = isinstance(getattr(error, "value", None), _errors.CallError_DeadlineExceeded)
                # Some parts had nothing in time.
                if not (late and came):
                    raise error
        return came


class Admin:
    """Changes the node behind a handle that gives `"admin"` as a whole. Nothing is called yet."""

    def __init__(self, handle):
        self._parts = _handles("admin", handle)

    async def reset(self, table):
        """Deletes all items of a table."""
        await _asyncio.gather(*(admin.reset(table) for admin in self._parts))

    async def set_rate_limiter(self, table, *, min_size, samples_per_insert=1.0, min_diff=-_MAX, max_diff=_MAX):
        """Holds a table to another rate limiter; as it stands, only `min_size` is one."""
        limiter = _types.RateLimiter(samples_per_insert, min_size, min_diff, max_diff)
        await _asyncio.gather(*(admin.set_rate_limiter(table, limiter) for admin in self._parts))

    async def checkpoint(self):
        """Writes a checkpoint of each part, and returns their paths."""
        return list(await _asyncio.gather(*(admin.checkpoint() for admin in self._parts)))
