"""Implements every function of `values`, and calls every one of the node that it has a handle of."""

import math
from array import array

import lp
from componentize_py_types import Err, Ok, Some
from wit_world import exports
from wit_world.imports import values


class Values(exports.Values):
    def echo_result(self, ok, v):
        if ok:
            return v
        raise Err(values.Colour.BLUE)

    def echo_mixed(self, a, b, c, d, e):
        return (a, b, c, d, e)

    def count(self, v, of):
        return v.count(of)

    def nothing(self):
        pass


ECHOES = [
    "bool", "u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64", "f32", "f64", "char", "string", "bytes", "u32s", "s64s",
    "f64s", "strings", "lists", "point", "sample", "batch", "option", "nested_option", "options", "shape", "shapes",
    "colour", "few", "many", "tuple", "pairs", "results",
]
for name in ECHOES:
    setattr(Values, f"echo_{name}", lambda self, v: v)
Values.__abstractmethods__ = frozenset()

def cases():
    """The values to send, by function. Made when they are needed: what a module has is part of its component."""
    largest_u32, largest_u64, largest_s64, smallest_s64 = 2**32 - 1, 2**64 - 1, 2**63 - 1, -(2**63)
    POINT = values.Point(0.5, -1e300)
    SAMPLE = values.Sample("näme", largest_u64, POINT, ["", "b"], "note")
    BARE = values.Sample("", 0, values.Point(0.0, -0.0), [], None)
    EVERY_FLAG = values.Many(2**32 - 1)
    return {
        "bool": [False, True],
        "u8": [0, 255],
        "s8": [-128, 127],
        "u16": [0, 65535],
        "s16": [-32768, 32767],
        "u32": [0, largest_u32],
        "s32": [-(2**31), 2**31 - 1],
        "u64": [0, largest_u64],
        "s64": [smallest_s64, largest_s64],
        "f32": [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan],
        "f64": [5e-324, -1.7976931348623157e308, math.inf, -math.inf, math.nan],
        "char": ["a", "\0", "ß", "🦀", "\U0010ffff"],
        "string": ["", "grüße 🦀", "x" * 2**20],
        "bytes": [b"", bytes(range(256)), b"y" * 2**20],
        "u32s": [[], [0, largest_u32], array("I", range(2**18))],
        "s64s": [[], [smallest_s64, largest_s64]],
        "f64s": [[], [0.0, math.nan, -math.inf]],
        "strings": [[], ["", "a", "🦀"]],
        "lists": [[], [[], [1, 65535], []]],
        "point": [POINT],
        "sample": [SAMPLE, BARE],
        "batch": [values.Batch([], []), values.Batch([SAMPLE, BARE], [1.5, -0.0])],
        "option": [None, 0, 7],
        "nested_option": [None, Some(None), Some(""), Some("x")],
        "options": [[], [None, True, False]],
        "shape": [
            values.Shape_Empty(),
            values.Shape_Circle(2.5),
            values.Shape_Polygon([POINT]),
            values.Shape_Named("é"),
        ],
        "shapes": [[], [values.Shape_Named(""), values.Shape_Empty(), values.Shape_Polygon([])]],
        "colour": list(values.Colour),
        "few": [values.Few(0), values.Few.B, values.Few.A | values.Few.C],
        "many": [values.Many(0), values.Many.F31, EVERY_FLAG],
        "tuple": [(255, "é", 0.25)],
        "pairs": [[], [("a", 1), ("", largest_u32)]],
        "results": [[], [Ok(7), Err("why"), Ok(0), Err("")]],
    }


def equal(a, b):
    """Whether two values are the same, where a NaN is the same as another one and zeros have a sign."""
    if isinstance(b, array):
        # Lists of numbers arrive as arrays. A NaN is equal to nothing.
        a, b = list(a), b.tolist()
    if isinstance(a, values.Batch):
        return type(a) is type(b) and equal([a.samples, a.weights], [b.samples, b.weights])
    if isinstance(a, float) and isinstance(b, float):
        return math.isnan(b) if math.isnan(a) else (a, math.copysign(1, a)) == (b, math.copysign(1, b))
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(equal, a, b))
    return a == b


def check(name, expected, found):
    if not equal(expected, found):
        raise AssertionError(f"{name}: {expected!r:.80} became {found!r:.80}")


class Run(exports.Run):
    def run(self):
        for name, values_of_name in cases().items():
            for value in values_of_name:
                check(name, value, getattr(values, f"echo_{name}")(value))
        check("result", "fine", values.echo_result(True, "fine"))
        try:
            values.echo_result(False, "")
        except Err as error:
            check("result", values.Colour.BLUE, error.value)
        else:
            raise AssertionError("result: no error came back")
        mixed = (255, "b", -0.0, 2**53 - 1, b"e" * 1000)
        check("mixed", mixed, values.echo_mixed(*mixed))
        check("count", 2, values.count(b"abca", ord("a")))
        values.nothing()
        print("every value came back")
        lp.program.stop()
