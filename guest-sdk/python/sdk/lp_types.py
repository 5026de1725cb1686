"""Lists of numbers, which pass the bindings of the component as their bytes, as lp-host has rewritten them.

They arrive as an `array.array`, and are taken as one, as a `memoryview`, or as a list or another iterable of numbers. A type
whose values have no such list is `None` here, and a function that has none stands in no table.
"""

import copy
import functools
import importlib
import inspect
from array import array

from componentize_py_types import Err, Ok, Some


class _Type:
    """A type of WIT: `lift` makes what arrived a value for the node, `lower` the opposite."""

    def __init__(self, lift, lower):
        self.lift, self.lower = lift, lower


class Array(array):
    """An array that is equal to a list of the same numbers, as which it would else be in no comparison."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other):
        return self.tolist() == other if isinstance(other, list) else super().__eq__(other)

    def __ne__(self, other):
        return self.tolist() != other if isinstance(other, list) else super().__ne__(other)


Array.__name__ = Array.__qualname__ = "array"


def numbers(code):
    """A list of numbers by the letter that `array` has for them."""

    def lift(value):
        found = Array(code)
        found.frombytes(value)
        return found

    def lower(value):
        if isinstance(value, array) and value.typecode == code:
            return value.tobytes()
        if isinstance(value, (bytes, bytearray, str)):
            raise TypeError(f"a list of numbers is an array('{code}'), a memoryview or a list, and not {type(value).__name__}")
        if isinstance(value, memoryview) and value.format == code:
            return value.tobytes()
        return array(code, iter(value)).tobytes()

    return _Type(lift, lower)


def list_of(item):
    return _Type(lambda values: [item.lift(value) for value in values], lambda values: [item.lower(value) for value in values])


def tuple_of(*items):
    def through(values, convert):
        return tuple(convert(item, value) if item else value for item, value in zip(items, values, strict=True))

    return _Type(lambda values: through(values, _Type.lift_in), lambda values: through(values, _Type.lower_in))


_Type.lift_in = staticmethod(lambda item, value: item.lift(value))
_Type.lower_in = staticmethod(lambda item, value: item.lower(value))


def record(fields):
    def lower(value):
        lowered = copy.copy(value)
        for name, field in fields.items():
            setattr(lowered, name, field.lower(getattr(value, name)))
        return lowered

    def lift(value):
        for name, field in fields.items():
            setattr(value, name, field.lift(getattr(value, name)))
        return value

    return _Type(lift, lower)


def variant(cases):
    """A variant by the names of the classes that its cases with such lists have."""

    def through(value, convert):
        case = cases.get(type(value).__name__)
        return type(value)(convert(case, value.value)) if case else value

    return _Type(lambda value: through(value, _Type.lift_in), lambda value: through(value, _Type.lower_in))


def option(inner):
    def through(value, convert):
        if isinstance(value, Some):
            return Some(convert(inner, value.value))
        return None if value is None else convert(inner, value)

    return _Type(lambda value: through(value, _Type.lift_in), lambda value: through(value, _Type.lower_in))


def result(ok, err):
    def through(value, convert):
        for kind, inner in ((Ok, ok), (Err, err)):
            if isinstance(value, kind) and inner:
                return kind(convert(inner, value.value))
        return value

    return _Type(lambda value: through(value, _Type.lift_in), lambda value: through(value, _Type.lower_in))


class Signature:
    """A function by the types of its parameters, of its result, and of the error of that, if it is a `result`."""

    def __init__(self, name, params, ok, err):
        self.name, self.params, self.ok, self.err = name, params, ok, err

    def _lowered(self, arguments):
        for (name, parameter), value in zip(self.params, arguments, strict=True):
            try:
                yield parameter.lower(value) if parameter else value
            except (TypeError, OverflowError, ValueError) as error:
                raise TypeError(f"`{self.name}`: the argument `{name}`: {error}") from error

    def _lifted(self, arguments):
        return [p.lift(value) if p else value for (_, p), value in zip(self.params, arguments, strict=True)]

    def _error(self, error, convert):
        return Err(convert(self.err, error.value)) if self.err else error

    def imported(self, function, skipped=0):
        """`function` of the bindings, whose first `skipped` arguments are no parameters of the WIT."""

        def lifted(value):
            return self.ok.lift(value) if self.ok else value

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call(*arguments):
                arguments = [*arguments[:skipped], *self._lowered(arguments[skipped:])]
                try:
                    return lifted(await function(*arguments))
                except Err as error:
                    raise self._error(error, _Type.lift_in) from None

            return call

        @functools.wraps(function)
        def call_sync(*arguments):
            arguments = [*arguments[:skipped], *self._lowered(arguments[skipped:])]
            try:
                return lifted(function(*arguments))
            except Err as error:
                raise self._error(error, _Type.lift_in) from None

        return call_sync

    def exported(self, function):
        """`function` of the node, as the bindings call it."""

        def lowered(value):
            try:
                return self.ok.lower(value) if self.ok else value
            except (TypeError, OverflowError, ValueError, AttributeError) as error:
                raise TypeError(f"`{self.name}` returned something else than its type: {error}") from error

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call(own, *arguments):
                try:
                    return lowered(await function(own, *self._lifted(arguments)))
                except Err as error:
                    raise self._error(error, _Type.lower_in) from None

            return call

        @functools.wraps(function)
        def call_sync(own, *arguments):
            try:
                return lowered(function(own, *self._lifted(arguments)))
            except Err as error:
                raise self._error(error, _Type.lower_in) from None

        return call_sync


def wrap_imports(table):
    """Has the modules of what the node imports take and give arrays: a table by their names, and those of functions."""
    for name, functions in table.items():
        module = importlib.import_module(f"wit_world.imports.{name}")
        for path, signature in functions.items():
            owner, _, function = path.rpartition(".")
            owner = getattr(module, owner) if owner else module
            found = inspect.getattr_static(owner, function)
            if isinstance(found, (staticmethod, classmethod)):
                wrapped = staticmethod(signature.imported(getattr(owner, function)))
            else:
                wrapped = signature.imported(found, 0 if owner is module else 1)
            setattr(owner, function, wrapped)
