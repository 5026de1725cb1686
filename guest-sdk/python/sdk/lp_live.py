"""What must not be frozen into the component, which is a snapshot of its build: taken anew by each replica as it begins.

While the node is imported, generators of random numbers that nobody seeds are noted, clocks stand still, what is printed is
kept, and what only a replica could answer is refused. `begin` follows in each replica, with its first call.
"""

import io
import os
import random
import socket
import sys
import time
import weakref

import componentize_py_runtime as runtime

is_importing = False
_printed = io.StringIO()
_restored = []


def _replace(owner, name, value):
    """Has `owner.name` be something else until the node has been imported."""
    _restored.append((owner, name, getattr(owner, name)))
    setattr(owner, name, value)


# Random numbers.

_unseeded = weakref.WeakSet()
_seed_generator = random.Random.seed
_global = random._inst
_is_seeded = False
_has_begun = False


def _seed(self, a=None, version=2):
    (_unseeded.add if a is None else _unseeded.discard)(self)
    return _seed_generator(self, a, version)


def _set_state(self, state, set_state=random.Random.setstate):
    _unseeded.discard(self)
    return set_state(self, state)


def seed(a=None, version=2):
    """`random.seed`. The runtime calls it when a replica begins, which would undo what the node has chosen itself."""
    global _is_seeded
    if is_importing:
        _is_seeded = a is not None
    elif not _has_begun:
        return begin()
    _seed_generator(_global, a, version)


# Clocks.


def _frozen_clock(name, frozen):
    """A clock that the node may read as it is imported: what it reads there is when each replica begins."""
    clock = getattr(time, name)

    def read():
        return frozen if is_importing else clock()

    read.__name__ = name
    return read


def _build_clock(name):
    """A clock that can't be when a replica begins: the node is told that it is the build's."""
    clock = getattr(time, name)

    def read():
        if is_importing and (place := _place(sys._getframe(1))):
            print(f"warning: {place} reads `time.{name}` while the node is imported: that is the time of the build", file=sys.stderr)
        return clock()

    read.__name__ = name
    return read


def _place(frame):
    """Where a frame is, if it is in the node's own source."""
    name = frame.f_code.co_filename
    return f"{name}:{frame.f_lineno}" if frame.f_globals.get("__loader__").__class__.__name__ == "SourceLoader" else None


# Names.

_NODE_BITS = 22
_id = None


def _getpid():
    return 1 if _id is None else _id


def _host_name():
    from wit_world.imports import lp_program as program

    return f"{program.node_name()}-{program.replica_index()}"


def _gethostname():
    return "build" if is_importing else _host_name()


def _uname(uname=getattr(os, "uname", None)):
    found = list(uname())
    found[1] = _gethostname()
    return os.uname_result(found)


# What only a replica can do.


def _refuse_call(*_):
    raise RuntimeError("a node can't ask its host while it is imported, which happens when it is built: ask in a function")


def _refuse_network(*_, **__):
    raise OSError("there is no network while a node is imported, which happens when it is built")


def importing():
    """The node is imported from now on."""
    global is_importing
    is_importing = True
    for clock in ("monotonic", "perf_counter"):
        _replace(time, clock, _frozen_clock(clock, 0.0))
        _replace(time, f"{clock}_ns", _frozen_clock(f"{clock}_ns", 0))
    for clock in ("time", "time_ns"):
        _replace(time, clock, _build_clock(clock))
    os.getpid, socket.gethostname = _getpid, _gethostname
    if hasattr(os, "uname"):
        os.uname = _uname
    random.seed = seed
    _unseeded.clear()
    _replace(random.Random, "seed", _seed)
    _replace(random.Random, "setstate", _set_state)
    _replace(runtime, "call_import", _refuse_call)
    _replace(socket.socket, "__init__", _refuse_network)
    for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "create_connection"):
        _replace(socket, name, _refuse_network)
    for name in ("stdout", "stderr"):
        _replace(sys, name, _printed)


def imported():
    """The node has been imported."""
    global is_importing
    is_importing = False
    while _restored:
        setattr(*_restored.pop())


def begin():
    """A replica begins."""
    global _has_begun, _id
    _has_begun = True
    for generator in list(_unseeded):
        _seed_generator(generator)
    if not _is_seeded:
        _seed_generator(_global)
    _id = 2 + int.from_bytes(os.urandom(4)) % (2**_NODE_BITS - 2)
    if found := sys.modules.get("uuid"):
        # It would look the host's name up. The bit says that it is no address of a card.
        found._node, found._last_timestamp = int.from_bytes(os.urandom(6)) | 1 << 40, None
    if found := sys.modules.get("platform"):
        found._uname_cache = None
    if text := _printed.getvalue():
        sys.stderr.flush()
        print(text, end="" if text.endswith("\n") else "\n", flush=True)
    _printed.truncate(0)
