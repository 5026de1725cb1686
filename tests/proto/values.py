"""Values of every WIT type as Python has them, and how messages are made of them and read.

A value of a message is a dict of the fields that are set: what is left out is absent or the default. An enum is the number
of its case, flags are an integer, and `None` is an option that is absent.
"""

import math
import struct

# The examples of docs/encoding.md, in the order of the page: the method and its value.
EXAMPLES = [
    ("ABool", True),
    ("ABool", False),
    ("AU8", 200),
    ("AnS8", -1),
    ("AnS32", -2147483648),
    ("AU64", 18446744073709551615),
    ("AnF32", 1.0),
    ("AnF32", -0.0),
    ("AnF64", 0.5),
    ("AChar", ord("😀")),
    ("AString", "hi"),
    ("AColor", 0),
    ("AColor", 2),
    ("AnAccess", 1 | 4),
    ("Bytes", bytes([1, 2, 255])),
    ("Bytes", b""),
    ("Floats", [1.0, -1.0]),
    ("Words", [1]),
    ("Longs", [-2]),
    ("Shorts", [-1, 300]),
    ("Bools", [True, False]),
    ("Strings", ["a", ""]),
    ("Blobs", [b"", b"\7"]),
    ("Lists", [{"value": []}, {"value": [1]}]),
    ("Points", [{}, {"x": 1}]),
    ("APoint", {"y": -3}),
    ("APoint", {}),
    ("Pair", {"f0": 5, "f1": "a"}),
    ("AShape", {"nothing": {}}),
    ("AShape", {"circle": 0.0}),
    ("AShape", {"polygon": {"value": [{"x": 1, "y": 2}]}}),
    ("Outcome", {"ok": 0}),
    ("Outcome", {"err": "no"}),
    ("EmptyOutcome", {"ok": {}}),
    ("Maybe", None),
    ("Maybe", 0),
    ("MaybeString", ""),
    ("MaybePoint", {}),
    ("MaybeList", {"value": []}),
    ("MaybeList", {"value": [7]}),
    ("MaybeMaybe", {}),
    ("MaybeMaybe", {"value": 0}),
    ("Maybes", [{}, {"value": 0}]),
    ("NestedOutcome", {"ok": {}}),
    ("NestedOutcome", {"err": {"value": ["a"]}}),
]

TEXT = "a\0é😀" * 20_000
CELL = {"name": "c", "values": [-1, 0, 2**63 - 1, -(2**63)], "notes": [{}, {"value": ""}, {"value": "n"}]}
ROW = {"cells": [CELL, {}], "month": 11, "where": {"f0": 255, "f1": -128}, "weight": 0.0}
FLOATS = [0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, -math.nan]
TINY32, HUGE32 = struct.unpack("<2f", struct.pack("<2I", 1, 0x7F7FFFFF))
TINY64, HUGE64 = 5e-324, 1.7976931348623157e308

# Limits, sizes and nesting: the method and its values.
EXAMPLES_MORE = [
    ("AU8", [0, 255]),
    ("AnS8", [0, 127, -128]),
    ("AnS32", [2**31 - 1]),
    ("AU64", [0, 1]),
    ("AnF32", [*FLOATS, TINY32, HUGE32]),
    ("AnF64", [*FLOATS, TINY64, HUGE64]),
    ("AChar", [0, ord("a"), 0xD7FF, 0xE000, 0x10FFFF]),
    ("AString", ["", "\0", TEXT]),
    ("AColor", [1]),
    ("AnAccess", [0, 7]),
    ("Bytes", [bytes(range(256)) * 4096]),
    ("Floats", [[], [*FLOATS, TINY32, HUGE32], [0.25] * 100_000]),
    ("Words", [[], [0, 2**32 - 1], list(range(100_000))]),
    ("Longs", [[], [0, 2**63 - 1, -(2**63)]]),
    ("Shorts", [[], [0, 2**15 - 1, -(2**15)]]),
    ("Bools", [[], [True] * 1000]),
    ("Strings", [[], ["x" * length for length in range(1000)], [TEXT, "", TEXT]]),
    ("Blobs", [[], [b"\xff" * length for length in range(1000)]]),
    ("Lists", [[], [{"value": list(range(length))} for length in range(300)]]),
    ("Points", [[], [{"x": x, "y": -x} for x in range(1, 10_000)]]),
    ("APoint", [{"x": 2**31 - 1, "y": -(2**31)}]),
    ("Pair", [{}, {"f0": 2**32 - 1, "f1": TEXT}]),
    ("AShape", [{"circle": math.nan}, {"polygon": {}}, {"named": ""}, {"named": "n"}, {"placed": {}}]),
    ("Outcome", [{"ok": 7}, {"err": ""}]),
    ("EmptyOutcome", [{"err": {}}]),
    ("Maybe", [2**32 - 1]),
    ("MaybeString", [None, TEXT]),
    ("MaybePoint", [None, {"y": 1}]),
    ("MaybeList", [None]),
    ("MaybeMaybe", [None, {"value": 9}]),
    ("Maybes", [[], [{}] * 1000]),
    ("NestedOutcome", [{"ok": {"value": 0}}, {"err": {}}]),
]
VALUES = [
    ("AU16", [0, 1, 2**16 - 1]),
    ("AU32", [0, 1, 2**32 - 1]),
    ("AnS16", [0, -1, 2**15 - 1, -(2**15)]),
    ("AnS64", [0, -1, 2**63 - 1, -(2**63)]),
    ("AMonth", range(12)),
    ("AWide", [0, 1, 1 << 31, 2**32 - 1]),
    ("SignedBytes", [[], [0, -1, 127, -128]]),
    ("UnsignedShorts", [[], [0, 2**16 - 1]]),
    ("Integers", [[], [0, -1, 2**31 - 1, -(2**31)]]),
    ("UnsignedLongs", [[], [0, 2**64 - 1], list(range(100_000))]),
    ("Doubles", [[], [*FLOATS, TINY64, HUGE64]]),
    ("Chars", [[], [ord(char) for char in "a\0é😀\U0010ffff"]]),
    ("Months", [[], list(range(12))]),
    ("Wides", [[], [0, 1 << 31, 2**32 - 1]]),
    ("Tuples", [[], [{}, {"f0": True, "f1": 0x1F600, "f2": -0.0}]]),
    ("Outcomes", [[], [{"ok": 0}, {"err": -128}, {"ok": 255}]]),
    ("Rows", [[], [{"where": {}}, ROW], [ROW] * 500]),
    (
        "APayload",
        [
            {"nothing": {}},
            {"number": -(2**63)},
            {"text": TEXT},
            {"pair": {}},
            {"pair": {"f0": 1, "f1": "p"}},
            {"outcome": {"ok": b""}},
            {"outcome": {"err": "e"}},
            {"maybe": {}},
            {"maybe": {"value": 0}},
            {"rows": {}},
            {"rows": {"value": [ROW]}},
            {"month": 0},
        ],
    ),
    ("Payloads", [[], [{"number": 0}, {"maybe": {}}, {"rows": {"value": [ROW, ROW]}}]]),
    ("Deep", [None, {"ok": {}}, {"ok": {"value": ""}}, {"err": {}}, {"err": {"value": [{"outcome": {"ok": b"\0"}}]}}]),
    ("Half", [{"ok": {}}, {"err": ""}]),
]

# Requests that have no value: the service, the method, the bytes, and what the status says of them.
WRONG = [
    ("Examples", "AU8", "08 80 02", "256 does not fit the type `u8`"),
    ("Examples", "AChar", "08 80 b0 03", "0xd800 is not a char"),
    ("Examples", "AColor", "08 03", "3 is not a case"),
    ("Examples", "AnAccess", "08 08", "flags 0b1000 are set of a type with 3 flags"),
    ("Examples", "AShape", "0a 00", "a variant has no case set"),
    ("Examples", "AString", "0a 01 ff", "a string is not valid UTF-8"),
    ("Values", "AnS16", "08 80 80 04", "does not fit the type `s16`"),
]


def cases():
    """Every value: the name of its service, the method and the value."""
    for method, value in EXAMPLES:
        yield "Examples", method, value
    for service, table in (("Examples", EXAMPLES_MORE), ("Values", VALUES)):
        for method, values in table:
            for value in values:
                yield service, method, value


def put(message, name, value):
    """Sets a field of a message; `None` leaves it absent."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if value is None:
        return
    if field.is_repeated:
        for item in value:
            fill(getattr(message, name).add(), item) if field.message_type else getattr(message, name).append(item)
    elif field.message_type:
        getattr(message, name).SetInParent()
        fill(getattr(message, name), value)
    else:
        setattr(message, name, value)


def fill(message, value):
    for name, part in value.items():
        put(message, name, part)


def holds(message, name, value):
    """Whether a field of a message has that value, to the last bit of a float."""
    field = message.DESCRIPTOR.fields_by_name[name]
    if value is None:
        return not message.HasField(name)
    found = getattr(message, name)
    if field.is_repeated:
        return len(found) == len(value) and all(map(is_same, found, value))
    return (not field.has_presence or message.HasField(name)) and is_same(found, value)


def is_same(found, value):
    if isinstance(value, dict):
        only = all(field.name in value for field, _ in found.ListFields())
        return only and all(holds(found, name, part) for name, part in value.items())
    if isinstance(value, float):
        return struct.pack("<d", found) == struct.pack("<d", value)
    return type(found) is type(value) and found == value
