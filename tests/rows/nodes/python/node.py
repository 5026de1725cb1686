"""Says what ordinary library features do in a node: rows, whose outcomes are sentences, and facts, which the test compares
between replicas and runs."""

import asyncio
import gc
import json
import logging
import os
import random
import socket
import tempfile
import threading
import time
import uuid

import lp
from failing import Fails, table  # noqa: F401
from wit_world import exports

OWN = random.Random()
SEEDED = random.Random(42)
random.seed(42)
START = time.monotonic()
print("printed while importing")


def attempt(run):
    try:
        return run()
    except Exception as error:
        return f"`{type(error).__name__}: {error}`"


AT_IMPORT = [attempt(lambda: lp.config("key")), attempt(socket.socket)]
logging.info("logged while importing")


class Echo(exports.Echo):
    def byte(self, v):
        return v

    word = wide = bytes = floats = text = may = byte


ROWS = []


def row(number, question, verdict="fine"):
    def add(run):
        ROWS.append((number, question, run, verdict))
        return run

    return add


@row("A2b", "`START = time.monotonic()` at the top")
def _():
    return "the beginning of the replica" if 0 <= time.monotonic() - START < 60 and START == 0 else f"{START}"


@row("A5", "`import ssl`, `ctypes`, `lzma`", "clear")
def _():
    return ", ".join(attempt(lambda name=name: __import__(name).__name__) for name in ("ssl", "ctypes", "lzma"))


@row("A5a", "`import csv`, `html.parser` inside a function")
def _():
    import csv
    from html import parser

    return f"found: {csv.__name__}, {parser.__name__}"


@row("A5b", "`Thread.start()`", "clear")
def _():
    return attempt(threading.Thread(target=print).start)


@row("A5c", "`asyncio.to_thread(f)`", "clear")
async def _():
    try:
        return await asyncio.to_thread(print)
    except Exception as error:
        return f"`{type(error).__name__}: {error}`"


@row("A5d", "`loop.call_soon(f)` without a context")
async def _():
    called = asyncio.Event()
    asyncio.get_running_loop().call_soon(called.set)
    await called.wait()
    return "called"


@row("A5e", "`\"ä\".encode(\"idna\")`")
def _():
    return attempt(lambda: "ä".encode("idna").decode())


@row("A7x", "`lp.config(\"key\")` at the top", "clear")
def _():
    return AT_IMPORT[0]


@row("A8", "`f(n + 1)` without end", "clear")
def _():
    def f(n):
        return f(n + 1)

    return attempt(lambda: f(0))


@row("A10b", "an exception in a task that nobody awaits", "clear")
async def _():
    loop, told = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))

    async def fail():
        raise ValueError("lost")

    asyncio.create_task(fail())
    await asyncio.sleep(0.01)
    gc.collect()
    loop.set_exception_handler(None)
    return f"the loop's handler is told: `{told[0]}`" if told else "nothing"


@row("A11b", "`socket.socket()` at the top", "clear")
def _():
    return AT_IMPORT[1]


@row("A14b", "`print` and `logging.info` at the top")
def _():
    return "shown when a replica begins"


@row("A15", "`tempfile.TemporaryFile()` without a granted folder", "clear")
def _():
    return attempt(tempfile.TemporaryFile)[:60] + "…`"


async def said():
    rows = []
    for number, question, run, verdict in ROWS:
        outcome = run()
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        rows.append([number, question, outcome, verdict])
    return rows


class Run(exports.Run):
    async def run(self):
        facts = {
            "`random.seed(42)` at the top": random.random(),
            "`RNG = random.Random()` at the top": OWN.random(),
            "`random.Random(42)` at the top": SEEDED.random(),
            "`os.getpid()`": os.getpid(),
            "`socket.gethostname()`": socket.gethostname(),
            "`uuid.getnode()`": uuid.getnode(),
            "`uuid.uuid4()`": str(uuid.uuid4()),
        }
        rows = await said() if lp.program.replica_index() == 0 else []
        failures = await table() if lp.program.replica_index() == 0 else []
        print(json.dumps({"facts": facts, "rows": rows, "failures": failures}))
