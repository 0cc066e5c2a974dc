"""Pandas data frames out of pickle files, without running anything of what is in them.

A pickle is a program: it names functions and says what to call. Here every name is answered by a
stand-in that only remembers what it was called with, and a name that no table of numbers and
strings needs is refused before the program goes on. Neither pandas nor any function that the file
names is called; the columns are then read out of what the stand-ins remember.
"""

from __future__ import annotations

import pickle
import re
from os import PathLike
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.generic]

NAMES = {
    "frame": ["pandas.DataFrame", "pandas.core.frame.DataFrame"],
    "manager": ["pandas.core.internals.managers.BlockManager"],
    "block": ["pandas._libs.internals._unpickle_block"],
    "index": ["pandas.core.indexes.base._new_Index"],
    "class": [
        "numpy.ndarray",
        "pandas.Index",
        "pandas.RangeIndex",
        "pandas.StringDtype",
        "pandas.arrays.StringArray",
        "pandas.core.arrays.string_.StringArray",
        "pandas.core.arrays.string_.StringDtype",
        "pandas.core.indexes.base.Index",
        "pandas.core.indexes.range.RangeIndex",
    ],
    "boxed array": ["pandas._libs.arrays.__pyx_unpickle_NDArrayBacked"],
    "arrow strings": [
        "pandas.arrays.ArrowStringArray",
        "pandas.core.arrays.string_arrow.ArrowStringArray",
        "pandas.core.arrays.string_arrow.ArrowStringArrayNumpySemantics",
    ],
    "arrow chunks": ["pyarrow.lib.chunked_array"],
    "arrow array": ["pyarrow.lib._restore_array"],
    "arrow type": ["pyarrow.lib.type_for_alias"],
    "array": ["numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"],
    "array in place": ["numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"],
    "scalar": ["numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"],
    "dtype": ["numpy.dtype"],
    "slice": ["builtins.slice", "__builtin__.slice"],
    "bytes": ["builtins.bytearray", "__builtin__.bytearray", "pyarrow.lib.py_buffer"],
    "encoded": ["_codecs.encode"],
}
"""What a file may name, by the kind of its stand-in; nothing else is looked up."""
KINDS = {name: kind for kind, names in NAMES.items() for name in names}

ADVICE = (
    "If you trust where it comes from, and only then, convert it: "
    "pandas.read_pickle(path).to_parquet('log.parquet')"
)


class _RefusedError(ValueError):
    """What the file holds is named in the message."""


class _Memory:
    """A stand-in: remembers its arguments and its state, and does nothing."""

    kind = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a new stand-in: whatever the file does to it ends with the file."""
        kind = KINDS.get(f"{module}.{name}")
        if kind is None:
            raise _RefusedError(
                f"the pickle names {module}.{name}, which a table of numbers and strings does not "
                f"need, so it was not read. {ADVICE}"
            )
        return type(name, (_Memory,), {"kind": kind})


def read_pickled_table(path: str | PathLike[str]) -> dict[str, Column]:
    """Read the columns of a pickled pandas data frame of numbers and strings.

    Known are the layouts of pandas 2 and 3; others are refused.

    Parameters
    ----------
    path : path
        Of a file that is not compressed.

    Returns
    -------
    dict of str to array of shape (n,)
        The columns, in their order; strings and mixed columns as objects.

    Raises
    ------
    ValueError
        The file is not such a data frame, or names anything that one does not need.
    """
    try:
        with open(path, "rb") as file:
            frame = _Reader(file).load()
        if getattr(frame, "kind", None) != "frame":
            raise _RefusedError(f"the pickle holds no pandas data frame. {ADVICE}")
        manager = frame.state["_mgr"]
        blocks, (columns, rows) = manager.args
        names, n_rows = _index(columns), len(_index(rows))
        table: dict[str, Column] = {}
        found: dict[int, Column] = {}
        for block in blocks:
            values, placement, _ = block.args
            array = _array(values)
            places = np.arange(len(names))[_placement(placement)]
            for place, column in zip(places, np.atleast_2d(array), strict=True):
                found[int(place)] = column
        for place, name in enumerate(names):
            if found[place].shape != (n_rows,):
                _refuse(f"a column of shape {found[place].shape}")
            table[str(name)] = found[place]
    except (OSError, _RefusedError):
        raise
    except Exception as error:  # a file may be broken in any way
        raise ValueError(
            f"the pickle is broken, or its layout is not known: {error!r}. {ADVICE}"
        ) from None
    return table


def _refuse(what: str) -> NoReturn:
    raise _RefusedError(f"the pickle holds {what}, which is not known here. {ADVICE}")


def _kind(given: object) -> str:
    return given.kind if isinstance(given, _Memory) else type(given).__name__


def _bytes(given: Any) -> bytes:
    kind = _kind(given)
    if kind == "encoded":
        text, encoding = given.args
        if encoding != "latin1":
            _refuse(f"bytes in {encoding}")
        return bytes(text, "latin-1")
    if kind == "bytes" and isinstance(given, _Memory):
        return _bytes(given.args[0]) if given.args else b""
    return bytes(given) if isinstance(given, (bytes, bytearray)) else _refuse(kind)


def _dtype(given: Any) -> np.dtype[Any]:
    name = given.args[0]
    if _kind(given) != "dtype" or not re.fullmatch(r"O8?|b1|[iuf][1248]", name):
        _refuse(f"the dtype {name}")
    order = given.state[1] if given.state else "="
    dtype: np.dtype[Any] = np.dtype(name).newbyteorder("=" if order == "|" else order)
    return dtype


def _scalar(given: Any) -> Any:
    """Return an entry of a column of objects."""
    if not isinstance(given, _Memory):
        return given
    if given.kind != "scalar":
        _refuse(f"an entry of kind {given.kind}")
    return np.frombuffer(_bytes(given.args[1]), _dtype(given.args[0]))[0].item()


def _array(given: Any) -> Column:
    kind = _kind(given)
    if kind == "arrow strings":
        return _arrow(given.state["_pa_array"])
    if kind == "boxed array":
        dtype, values, *_ = given.state or given.args[2]
        if type(dtype).__name__ != "StringDtype":
            _refuse(f"a column of kind {type(dtype).__name__}")
        return _array(values)
    if kind == "array in place":
        data, dtype, shape, order = given.args
        flat: Column = np.frombuffer(_bytes(data), _dtype(dtype))
        return flat.reshape(shape, order=order)
    if kind != "array":
        _refuse(f"a column of kind {kind}")
    _, shape, dtype, by_column, data = given.state
    if _dtype(dtype).hasobject:
        flat = np.empty(len(data), dtype=object)
        flat[:] = [_scalar(entry) for entry in data]
    else:
        flat = np.frombuffer(_bytes(data), _dtype(dtype))
    return flat.reshape(shape, order="F" if by_column else "C")


def _arrow(given: Any) -> Column:
    """Return the strings of an Arrow array as objects, None where there is none."""
    if _kind(given) == "arrow chunks":
        chunks = [_arrow(chunk) for chunk in given.args[0]]
        return np.concatenate(chunks) if chunks else np.empty(0, dtype=object)
    if _kind(given) != "arrow array":
        _refuse(f"an Arrow column of kind {_kind(given)}")
    layout, length, _, offset, buffers, *_ = given.args[0]
    wide = {"string": np.int32, "large_string": np.int64}.get(layout.args[0])
    if wide is None:
        _refuse(f"an Arrow column of {layout.args[0]}")
    ends = np.frombuffer(_bytes(buffers[1]), wide)[offset : offset + length + 1]
    text = _bytes(buffers[2]) if buffers[2] is not None else b""
    valid = np.ones(offset + length, dtype=np.uint8)
    if buffers[0] is not None:
        bits = np.frombuffer(_bytes(buffers[0]), np.uint8)
        valid = np.unpackbits(bits, bitorder="little")
    strings = np.empty(length, dtype=object)
    for row in range(length):
        if valid[offset + row]:
            strings[row] = text[ends[row] : ends[row + 1]].decode()
    return strings


def _index(given: Any) -> Any:
    """Return the entries of an index."""
    what, entries = given.args
    if what.__name__ == "RangeIndex":
        return range(entries["start"], entries["stop"], entries["step"])
    return _array(entries["data"])


def _placement(given: Any) -> Any:
    return slice(*given.args) if _kind(given) == "slice" else _array(given)
