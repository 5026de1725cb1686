"""The functions `test_…` of a node as the interface `lp:test/tests`, which its world exports."""

import inspect
import traceback

from componentize_py_types import Err

_PREFIX = "test_"


def _said(error):
    """An exception in one line, with where it was raised: an `assert` has nothing else to say."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = "".join(traceback.format_exception_only(error)).strip()
    return f"{text} (line {place.lineno} of {place.filename.rpartition('/')[2]}, in `{place.name}`)"


def of(module, protocol):
    """The class that exports the tests of a module."""
    found = {
        name.removeprefix(_PREFIX).replace("_", "-"): function
        for name, function in vars(module).items()
        if name.startswith(_PREFIX) and inspect.isfunction(function)
    }

    class Tests(protocol):
        def names(self):
            return list(found)

        async def run(self, name):
            test = found.get(name)
            if test is None:
                raise Err(f"there is no test `{name}`")
            try:
                result = test()
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                traceback.print_exc()
                said = _said(error)
            else:
                return
            raise Err(said)

    return Tests
