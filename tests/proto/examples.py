"""Compiles the .proto files of a directory with stock grpcio-tools and holds Python's protobuf to docs/encoding.md.

Usage: examples.py PROTOS OUT ENCODING_MD. Every row of the page's table is a line of `values.EXAMPLES`: the name of
the message, which is a request and a response alike, and the value as Python has it.
"""

import pathlib
import sys

from grpc_tools import protoc

from values import EXAMPLES, put


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
            message = kind()
            put(message, field, value)
            encoded = message.SerializeToString(deterministic=True)
            assert encoded == wanted, f"{message!r} is {encoded.hex(' ')}, not {wanted.hex(' ')}"
            assert kind.FromString(wanted) == message, f"{wanted.hex(' ')} is not {message!r}"
    print(f"{len(EXAMPLES)} examples hold")


main()
