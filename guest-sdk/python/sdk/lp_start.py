"""What a component is made of: the node, with the event loop of componentize-py completed before it."""

import inspect
import sys
import traceback

from componentize_py_types import Err

import lp_live
import lp_loop
import lp_source
import lp_tests
import lp_types
import lp_wit
from wit_world import exports

lp_loop.complete()
lp_types.wrap_imports(lp_wit.IMPORTS)
lp_source.install()
lp_live.importing()

try:
    import node  # noqa: E402

    lp_source.complete()
except BaseException:
    # componentize-py prints what goes wrong, to where it did before.
    lp_live.imported()
    raise
lp_live.imported()


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


def _checked(name, function, has_result):
    """`function`, whose mistakes are told with its name instead of being taken for the value that it returns."""

    def returned(value):
        if isinstance(value, Err):
            raise TypeError(f"`{name}` returned {value!r}: an `Err` has to be raised")
        return value

    def refused(error):
        return RuntimeError(f"`{name}` has no `result` in the WIT, so that it can't end with {error!r}")

    async def call_async(self, *arguments):
        try:
            return returned(await function(self, *arguments))
        except Err as error:
            if has_result:
                raise
            raise refused(error) from error

    def call_sync(self, *arguments):
        try:
            return returned(function(self, *arguments))
        except Err as error:
            if has_result:
                raise
            raise refused(error) from error

    return call_async if inspect.iscoroutinefunction(function) else call_sync


def _check_exports():
    """Has no error of a node become a result. componentize-py documents the functions that may end with one."""
    for name, protocol in vars(exports).items():
        found = getattr(node, name, None)
        if name == "Run" or not isinstance(protocol, type) or not isinstance(found, type) or found is protocol:
            continue
        signatures = lp_wit.EXPORTS.get(name, {})
        for method, declared in vars(protocol).items():
            function = getattr(found, method, None)
            if method in signatures:
                function = signatures[method].exported(function)
                setattr(found, method, function)
            if inspect.isfunction(declared) and inspect.isfunction(function) and function is not declared:
                setattr(found, method, _checked(method, function, "Err(" in (declared.__doc__ or "")))


# The interface of that name may also be one of the user's.
_protocol = getattr(exports, "Tests", None)
if _protocol is not None and {"names", "run"} <= vars(_protocol).keys() and not hasattr(node, "Tests"):
    node.Tests = lp_tests.of(node, _protocol)

_check_exports()

if hasattr(node, "Run"):
    node.Run.run = _told(node.Run.run)

# componentize-py looks for the classes of the node here, and names this module where it misses one.
sys.modules[__name__] = node
