"""Compiles the .proto files of a directory with stock grpcio-tools and holds Python's protobuf to docs/encoding.md.

Usage: examples.py PROTOS OUT ENCODING_MD. Every row of the page's table is a line here, in the order of the page: the
name of the message, which is a request and a response alike, and the value as Python has it.
"""

import pathlib
import sys

from google.protobuf.empty_pb2 import Empty
from grpc_tools import protoc

EXAMPLES = [
    ("ABool", lambda m: True),
    ("ABool", lambda m: False),
    ("AU8", lambda m: 200),
    ("AnS8", lambda m: -1),
    ("AnS32", lambda m: -2147483648),
    ("AU64", lambda m: 18446744073709551615),
    ("AnF32", lambda m: 1.0),
    ("AnF32", lambda m: -0.0),
    ("AnF64", lambda m: 0.5),
    ("AChar", lambda m: ord("😀")),
    ("AString", lambda m: "hi"),
    ("AColor", lambda m: m.COLOR_RED),
    ("AColor", lambda m: m.COLOR_BLUE),
    ("AnAccess", lambda m: 1 | 4),
    ("Bytes", lambda m: bytes([1, 2, 255])),
    ("Bytes", lambda m: b""),
    ("Floats", lambda m: [1.0, -1.0]),
    ("Words", lambda m: [1]),
    ("Longs", lambda m: [-2]),
    ("Shorts", lambda m: [-1, 300]),
    ("Bools", lambda m: [True, False]),
    ("Strings", lambda m: ["a", ""]),
    ("Blobs", lambda m: [b"", b"\7"]),
    ("Lists", lambda m: [{"value": []}, {"value": [1]}]),
    ("Points", lambda m: [m.Point(), m.Point(x=1)]),
    ("APoint", lambda m: m.Point(y=-3)),
    ("APoint", lambda m: m.Point()),
    ("Pair", lambda m: {"f0": 5, "f1": "a"}),
    ("AShape", lambda m: m.Shape(nothing=Empty())),
    ("AShape", lambda m: m.Shape(circle=0.0)),
    ("AShape", lambda m: m.Shape(polygon=m.Shape.Polygon(value=[m.Point(x=1, y=2)]))),
    ("Outcome", lambda m: {"ok": 0}),
    ("Outcome", lambda m: {"err": "no"}),
    ("EmptyOutcome", lambda m: {"ok": Empty()}),
    ("Maybe", lambda m: None),
    ("Maybe", lambda m: 0),
    ("MaybeString", lambda m: ""),
    ("MaybePoint", lambda m: m.Point()),
    ("MaybeList", lambda m: {"value": []}),
    ("MaybeList", lambda m: {"value": [7]}),
    ("MaybeMaybe", lambda m: {}),
    ("MaybeMaybe", lambda m: {"value": 0}),
    ("Maybes", lambda m: [{}, {"value": 0}]),
    ("NestedOutcome", lambda m: {"ok": {}}),
    ("NestedOutcome", lambda m: {"err": {"value": ["a"]}}),
]


def table(page: str) -> list[bytes]:
    """The bytes of the examples, from the third column of the page's table."""
    _, _, rest = page.partition("\n| type | value | bytes |\n|---|---|---|\n")
    rows = rest.split("\n\n")[0].splitlines()
    cells = [row.strip("|").split(" | ")[2].strip(" `|") for row in rows]
    return [b"" if cell == "(empty)" else bytes.fromhex(cell) for cell in cells]


def compile_all(protos: pathlib.Path, out: pathlib.Path) -> None:
    """Compiles every file below `protos` into modules below `out`, of which none may need another source."""
    files = sorted(str(file) for file in protos.rglob("*.proto"))
    assert files, f"no files in {protos}"
    builtin = pathlib.Path(protoc.__file__).parent / "_proto"
    options = [f"-I{protos}", f"-I{builtin}", f"--python_out={out}", f"--grpc_python_out={out}"]
    assert protoc.main(["protoc", *options, *files]) == 0, "protoc failed"


def main() -> None:
    protos, out, page = map(pathlib.Path, sys.argv[1:])
    compile_all(protos, out)
    sys.path.insert(0, str(out))
    from lp_test.examples.v1 import examples_pb2 as m
    from lp_test.examples.v1 import examples_pb2_grpc

    assert hasattr(examples_pb2_grpc, "ExamplesStub")
    expected = table(page.read_text(encoding="utf-8"))
    assert len(expected) == len(EXAMPLES), "a row of the page is not tested"
    for (name, value), wanted in zip(EXAMPLES, expected, strict=True):
        for suffix, field in (("Request", "value"), ("Response", "result")):
            kind = getattr(m, name + suffix)
            message = kind(**{field: value(m)})
            # A message that is given as a dict without entries is set all the same.
            if value(m) == {}:
                getattr(message, field).SetInParent()
            if value(m) == {"ok": {}}:
                getattr(message, field).ok.SetInParent()
            encoded = message.SerializeToString(deterministic=True)
            assert encoded == wanted, f"{message!r} is {encoded.hex(' ')}, not {wanted.hex(' ')}"
            assert kind.FromString(wanted) == message, f"{wanted.hex(' ')} is not {message!r}"
    print(f"{len(EXAMPLES)} examples hold")


main()
