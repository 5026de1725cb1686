"""What a component is made of: the node, with the event loop of componentize-py completed before it."""

import inspect
import sys
import traceback

from componentize_py_types import Err

import lp_loop
import lp_tests

lp_loop.complete()

import node  # noqa: E402
from wit_world import exports  # noqa: E402


def _told(run):
    """`run`, which prints an `Err` that it ends with: the host is only told that it failed."""

    async def run_async(self):
        try:
            return await run(self)
        except Err:
            traceback.print_exc()
            raise

    def run_sync(self):
        try:
            return run(self)
        except Err:
            traceback.print_exc()
            raise

    return run_async if inspect.iscoroutinefunction(run) else run_sync


def _refused(name, function):
    """`function`, whose WIT has no `result`: an `Err` that it ends with would be taken for the value that it returns."""

    async def call(self, *arguments):
        try:
            return await function(self, *arguments)
        except Err as error:
            raise RuntimeError(f"`{name}` has no `result` in the WIT, so that it can't end with {error!r}") from error

    return call


def _refuse_errors():
    """Has no error of a node become a result. componentize-py documents the functions that may end with one."""
    for name, protocol in vars(exports).items():
        found = getattr(node, name, None)
        if name == "Run" or not isinstance(protocol, type) or not isinstance(found, type) or found is protocol:
            continue
        for method, declared in vars(protocol).items():
            if inspect.iscoroutinefunction(declared) and "Err(" not in (declared.__doc__ or ""):
                setattr(found, method, _refused(method, getattr(found, method)))


# The interface of that name may also be one of the user's.
_protocol = getattr(exports, "Tests", None)
if _protocol is not None and {"names", "run"} <= vars(_protocol).keys() and not hasattr(node, "Tests"):
    node.Tests = lp_tests.of(node, _protocol)

_refuse_errors()

if hasattr(node, "Run"):
    node.Run.run = _told(node.Run.run)

# componentize-py looks for the classes of the node here, and names this module where it misses one.
sys.modules[__name__] = node
