"""Arrays and texts in one file that any language reads: the layout of safetensors.

Eight bytes hold the length of a header in JSON, little-endian; the header names each array with its
type, shape and place in the rest of the file, which is the arrays one after the other. Nothing in a
file is ever executed. Other readers of this layout (https://github.com/huggingface/safetensors)
read these files too; this one takes no arrays but those of the types below, in row-major order and
without gaps, and checks every size before it makes an array.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace._atomic_file import write_atomically

Tensor = NDArray[np.generic]

TYPES = {"F64": np.dtype("<f8"), "I64": np.dtype("<i8"), "BOOL": np.dtype("?")}
"""Types of arrays, by their names in the header."""
LONGEST_HEADER = 2**24
METADATA = "__metadata__"
CHECKSUM = "crc32"
"""Of all other texts in the order of their names, each after its name, then of the arrays."""


class FileFormatError(ValueError):
    """The file is not what it should be."""


def write_tensor_file(
    path: str | PathLike[str], tensors: Mapping[str, Tensor], texts: Mapping[str, str]
) -> None:
    """Write arrays and texts; the file is there as a whole, or as it was before."""
    write_atomically(Path(path), tensor_file_content(tensors, texts))


def tensor_file_content(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> bytes:
    """Return the content of a file of arrays and texts."""
    names = {dtype: name for name, dtype in TYPES.items()}
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    place = 0
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        dtype = array.dtype.newbyteorder("<")
        data = array.astype(dtype, copy=False).tobytes()
        end = place + len(data)
        header[name] = {
            "dtype": names[dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [place, end],
        }
        place = end
        parts.append(data)
    body = b"".join(parts)
    header[METADATA] = {**texts, CHECKSUM: f"{_checksum(texts, body):08x}"}
    head = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + body


def read_tensor_file(path: str | PathLike[str]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the arrays, which can be written to, and the texts of a file.

    Raises
    ------
    FileFormatError
        Another layout, a file that was cut, or one whose checksum does not fit.
    OSError
        The file cannot be read.
    """
    content = Path(path).read_bytes()
    if len(content) < 8:
        raise FileFormatError(f"the file is cut: it has {len(content)} bytes, at least 8 are due")
    length = int.from_bytes(content[:8], "little")
    if length > LONGEST_HEADER or content[8:9] not in (b"{", b""):
        raise FileFormatError("the file does not begin with a header: it is of another kind")
    if len(content) < 8 + length:
        raise FileFormatError(
            f"the file is cut: it has {len(content)} bytes, and its header alone ends at "
            f"{8 + length}"
        )
    header = _header(content[8 : 8 + length])
    texts = header.pop(METADATA, {})
    if not (isinstance(texts, dict) and all(isinstance(text, str) for text in texts.values())):
        raise FileFormatError(f"{METADATA} in the header must hold texts")
    body = content[8 + length :]
    places = _places(header)
    size = places[-1][3] if places else 0
    if len(body) != size:
        how = "cut" if len(body) < size else "longer than it should be"
        raise FileFormatError(
            f"the file is {how}: it has {len(content)} bytes, and its header tells of "
            f"{8 + length + size}"
        )
    checksum = texts.pop(CHECKSUM, None)
    if checksum != f"{_checksum(texts, body):08x}":
        raise FileFormatError("the file is damaged: its checksum does not fit its content")
    tensors = {}
    for name, dtype, begin, end, shape in places:
        if dtype.kind == "b" and max(body[begin:end], default=0) > 1:
            raise FileFormatError(f"array {name!r} must hold 0 and 1 only")
        array = np.frombuffer(body, dtype, count=(end - begin) // dtype.itemsize, offset=begin)
        tensors[name] = array.astype(dtype.newbyteorder("=")).reshape(shape)
    return tensors, texts


def _header(raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise FileFormatError("a name stands twice in the header")
        return found

    try:
        header = json.loads(raw.decode(), object_pairs_hook=unique)
    except FileFormatError:
        raise
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"the header is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise FileFormatError("the header must be an object")
    return header


def _places(
    header: Mapping[str, Any],
) -> list[tuple[str, np.dtype[Any], int, int, tuple[int, ...]]]:
    """Return name, type, begin, end and shape of each array, as they lie in the file."""
    places = []
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise FileFormatError(f"array {name!r} must have dtype, shape and data_offsets")
        dtype = TYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
        if dtype is None:
            raise FileFormatError(
                f"array {name!r} must be of {list(TYPES)}, got {entry['dtype']!r}"
            )
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not (_sizes(shape) and _sizes(offsets) and len(offsets) == 2 and len(shape) <= 8):
            raise FileFormatError(f"array {name!r} has no shape, or no place in the file")
        if offsets[1] - offsets[0] != prod(shape) * dtype.itemsize:
            raise FileFormatError(f"array {name!r} of shape {shape} does not fit its place")
        places.append((name, dtype, offsets[0], offsets[1], tuple(shape)))
    places.sort(key=lambda place: (place[2], place[3]))
    end = 0
    for name, _, begin, after, _ in places:
        if begin != end:
            raise FileFormatError(f"there is a gap or an overlap before array {name!r}")
        end = after
    return places


def _sizes(given: object) -> bool:
    return isinstance(given, list) and all(
        isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**62 for size in given
    )


def _checksum(texts: Mapping[str, str], body: bytes) -> int:
    checksum = 0
    for name in sorted(texts):
        for part in (name, texts[name]):
            checksum = zlib.crc32(part.encode(), checksum)
    return zlib.crc32(body, checksum)
