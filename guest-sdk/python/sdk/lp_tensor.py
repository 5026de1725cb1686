"""Tensors of replay nodes: a type, a shape and bytes. Users have them by `lp_replay`."""

import math
import struct
from array import array

# The letter that `array`, `memoryview` or else `struct` has for each type, and the bytes of an element.
_CODES = {
    "float16": ("e", 2),
    "float32": ("f", 4),
    "float64": ("d", 8),
    "int8": ("b", 1),
    "int16": ("h", 2),
    "int32": ("i", 4),
    "int64": ("q", 8),
    "uint8": ("B", 1),
    "uint16": ("H", 2),
    "uint32": ("I", 4),
    "uint64": ("Q", 8),
    "boolean": ("?", 1),
    "complex64": (None, 8),
    "complex128": (None, 16),
    "bfloat16": (None, 2),
    "bytes": (None, None),
}
_DTYPES = {code: dtype for dtype, (code, _) in _CODES.items() if code}
# `array` and `memoryview` name some of them by what C calls them.
_DTYPES |= {"l": "int32" if struct.calcsize("l") == 4 else "int64", "L": "uint32" if struct.calcsize("L") == 4 else "uint64"}


class Tensor:
    """Elements in rows: the last index is the first to change.

    `Tensor("float32", [[1, 2], [3, 4]])` is of the shape (2, 2); `Tensor("float32", 1.5)`, of one element, has the shape ().
    `Tensor("float32", numbers, shape=(32, 4))` takes a flat array, a memoryview or bytes with all elements.
    """

    __slots__ = ("dtype", "shape", "data")

    def __init__(self, dtype, values, shape=None):
        if dtype not in _CODES:
            raise ValueError(f"`{dtype}` is none of {', '.join(_CODES)}")
        is_raw = isinstance(values, (bytes, bytearray)) and dtype != "bytes"
        if not is_raw and not isinstance(values, (array, memoryview)):
            values, found = _flat(values)
            shape = found if shape is None else shape
        elif isinstance(values, memoryview):
            shape = values.shape if shape is None else shape
        self.dtype = dtype
        self.data = bytes(values) if is_raw else _packed(dtype, values)
        length = _CODES[dtype][1]
        count = len(values) if dtype == "bytes" else len(self.data) // length
        self.shape = (count,) if shape is None else tuple(shape)
        if length and len(self.data) % length:
            raise ValueError(f"an element of {dtype} has {length} bytes, and {len(self.data)} bytes are no such elements")
        if count != math.prod(self.shape):
            raise ValueError(f"the shape {self.shape} of {dtype} has {math.prod(self.shape)} elements, and not {count}")

    @classmethod
    def of(cls, value):
        """The tensor that a value makes: an array or a memoryview is of its own type, numbers in lists as numpy has them."""
        if isinstance(value, (array, memoryview)):
            code = value.typecode if isinstance(value, array) else value.format
            return cls(_DTYPES[code], value)
        flat, shape = _flat(value)
        kinds = {bool: "boolean", int: "int64", float: "float64", complex: "complex128", str: "bytes", bytes: "bytes"}
        found = {type(element) for element in flat}
        if found <= {int, float}:
            found = {float} if float in found else {int}
        if not flat or len(found) != 1 or not found <= kinds.keys():
            raise TypeError(f"name the type of it, as in `Tensor(\"float32\", …)`: {value!r}")
        return cls(kinds[found.pop()], flat, shape)

    @classmethod
    def _raw(cls, dtype, shape, data):
        made = cls.__new__(cls)
        made.dtype, made.shape, made.data = dtype, tuple(shape), data
        return made

    @classmethod
    def _of_wit(cls, found):
        return cls._raw(found.dtype.name.lower(), found.shape, found.data)

    def _as_wit(self, types):
        return types.Tensor(types.Dtype[self.dtype.upper()], list(self.shape), bytes(self.data))

    @classmethod
    def stacked(cls, tensors):
        """One tensor of some that look the same, whose first index says which."""
        tensors = list(tensors)
        return cls.joined([cls._raw(t.dtype, (1, *t.shape), t.data) for t in tensors])

    @classmethod
    def joined(cls, tensors):
        """One tensor of some that follow each other by their first index."""
        tensors = list(tensors)
        first = tensors[0]
        if len(tensors) == 1:
            return first
        if any((t.dtype, t.shape[1:]) != (first.dtype, first.shape[1:]) for t in tensors):
            raise ValueError(f"{first} and others make no batch: sample them by `items`")
        rows = sum(t.shape[0] for t in tensors)
        if first.dtype == "bytes":
            return cls("bytes", [text for t in tensors for text in t._elements()], (rows, *first.shape[1:]))
        return cls._raw(first.dtype, (rows, *first.shape[1:]), b"".join(bytes(t.data) for t in tensors))

    @property
    def view(self):
        """Its elements as a memoryview of its shape, without a copy; flat if one of its dimensions is 0."""
        code = _CODES[self.dtype][0]
        if code in (None, "e"):
            raise TypeError(f"there are no views of {self.dtype}: take `tolist`")
        view = memoryview(self.data)
        return view.cast(code, self.shape) if 0 not in self.shape else view.cast(code)

    @property
    def array(self):
        """Its elements in rows as an `array.array`, which is a copy."""
        code = "B" if self.dtype == "boolean" else _CODES[self.dtype][0]
        if code in (None, "e"):
            raise TypeError(f"there are no arrays of {self.dtype}: take `tolist`")
        made = array(code)
        made.frombytes(self.data)
        return made

    def tolist(self):
        """Its elements as lists of lists, or the only one."""

        def nested(values, shape):
            if len(shape) <= 1:
                return values
            step = math.prod(shape[1:])
            return [nested(values[row * step : (row + 1) * step], shape[1:]) for row in range(shape[0])]

        elements = self._elements()
        return nested(elements, self.shape) if self.shape else elements[0]

    def __len__(self):
        if not self.shape:
            raise TypeError("a tensor of the shape () has no length")
        return self.shape[0]

    def __getitem__(self, row):
        """A row, as a tensor; an element, if the shape has one dimension."""
        row = range(len(self))[row]
        if len(self.shape) == 1:
            return self._elements()[row]
        if self.dtype == "bytes":
            step = math.prod(self.shape[1:])
            return Tensor("bytes", self._elements()[row * step : (row + 1) * step], self.shape[1:])
        step = len(self.data) // self.shape[0]
        return Tensor._raw(self.dtype, self.shape[1:], memoryview(self.data)[row * step : (row + 1) * step])

    def __eq__(self, other):
        if not isinstance(other, Tensor):
            return NotImplemented
        return (self.dtype, self.shape, bytes(self.data)) == (other.dtype, other.shape, bytes(other.data))

    __hash__ = None

    def __repr__(self):
        return f"{self.dtype}{list(self.shape)}"

    def _elements(self):
        """All in rows, as a list."""
        data = bytes(self.data)
        if self.dtype == "bytes":
            return _texts(data, math.prod(self.shape))
        if self.dtype == "bfloat16":
            # The upper half of a float32.
            return [struct.unpack("<f", b"\0\0" + data[at : at + 2])[0] for at in range(0, len(data), 2)]
        if self.dtype.startswith("complex"):
            parts = memoryview(data).cast("f" if self.dtype == "complex64" else "d")
            return [complex(parts[at], parts[at + 1]) for at in range(0, len(parts), 2)]
        code, length = _CODES[self.dtype]
        return list(struct.unpack(f"<{len(data) // length}{code}", data))


def _flat(values):
    """All elements of lists of lists, and the shape of these."""
    if not isinstance(values, (list, tuple, range)):
        return [values], ()
    rows = [_flat(value) for value in values]
    if any(shape != rows[0][1] for _, shape in rows):
        raise ValueError("the rows of a tensor are of the same length")
    return [element for row, _ in rows for element in row], (len(rows), *(rows[0][1] if rows else ()))


def _packed(dtype, values):
    """Elements in rows as bytes."""
    if isinstance(values, memoryview):
        flat = values.c_contiguous and values.nbytes
        values = values.cast("B").cast(values.format) if flat else _flat(values.tolist())[0]
    if dtype == "bytes":
        texts = [value.encode() if isinstance(value, str) else bytes(value) for value in values]
        return b"".join(_varint(len(text)) for text in texts) + b"".join(texts)
    if dtype == "bfloat16":
        return b"".join(struct.pack("<f", value)[2:] for value in values)
    if dtype.startswith("complex"):
        parts = [part for value in values for part in (complex(value).real, complex(value).imag)]
        return array("f" if dtype == "complex64" else "d", parts).tobytes()
    code = _CODES[dtype][0]
    if getattr(values, "typecode", getattr(values, "format", None)) == code:
        return values.tobytes()
    return struct.pack(f"<{len(values)}{code}", *values)


def _varint(number):
    made = bytearray()
    while number >= 128:
        made.append(number % 128 | 128)
        number //= 128
    made.append(number)
    return bytes(made)


def _texts(data, count):
    """The texts of a tensor of them: the length of each as a varint, and then all of them."""
    lengths, at = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            byte, at = data[at], at + 1
            length, shift = length | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        lengths.append(length)
    made = []
    for length in lengths:
        made.append(data[at : at + length])
        at += length
    return made
