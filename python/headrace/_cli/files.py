"""Tables and NPZ files: arrays out of them, results into them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headrace._atomic_file import write_atomically
from headrace._cli.columns import ObservedColumns
from headrace._cli.errors import writing
from headrace._log_files import TABLE_FILES, read_table_file

ARRAYS_OF_LOG = (
    "quality",
    "cost",
    "features",
    "signals",
    "latency",
    "first_token_latency",
    "models",
    "groups",
)
"""The arguments of `QueryLog`."""
ARRAYS_OF_QUERIES = ("ran", "dearer")

Arrays = dict[str, NDArray[Any]]
Texts = Sequence[str | None]


def read_arrays_or_table(path: Path, columns: ObservedColumns) -> tuple[Arrays | None, Any]:
    """Return the arrays of an NPZ file, or else the wanted columns of a table."""
    ending = path.suffix.lower()
    if ending == ".npz":
        if columns != type(columns)():
            raise ValueError("an NPZ file has no columns: leave the options of columns out")
        return _read_npz(path), None
    if ending not in TABLE_FILES:
        raise ValueError(f"the name must end in one of {[*TABLE_FILES, '.npz']}")
    try:
        return None, read_table_file(path, columns.wanted)
    except NotImplementedError as error:  # of pyarrow
        raise ValueError(str(error)) from None


def write_table(path: Path, columns: Mapping[str, Texts]) -> None:
    """Write texts, some of which are missing, in the format of the ending.

    The file is there as a whole, or as it was before. In CSV and NPZ a missing text is empty.
    """
    content = WRITERS[path.suffix.lower()](columns)
    with writing(path):
        write_atomically(path, content)


def csv_text(columns: Mapping[str, Texts]) -> str:
    """Return a table as CSV."""
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _csv(columns: Mapping[str, Texts]) -> bytes:
    return csv_text(columns).encode()


def _parquet(columns: Mapping[str, Texts]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    buffer = BytesIO()
    table = pa.table({name: pa.array(texts, pa.string()) for name, texts in columns.items()})
    parquet.write_table(table, buffer)
    return buffer.getvalue()


def _npz(columns: Mapping[str, Texts]) -> bytes:
    buffer = BytesIO()
    arrays: dict[str, Any] = {
        name: np.array([text or "" for text in texts], dtype=np.str_)
        for name, texts in columns.items()
    }
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


WRITERS: dict[str, Callable[[Mapping[str, Texts]], bytes]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".npz": _npz,
}
"""By the ending of the name."""


def _read_npz(path: Path) -> Arrays:
    try:
        with open(path, "rb") as file:
            found = np.load(file, allow_pickle=False)
            if not isinstance(found, np.lib.npyio.NpzFile):
                raise ValueError("it holds a single array")
            arrays = {name: np.asarray(found[name]) for name in found.files}
    except OSError:
        raise
    except Exception as error:  # of whatever unpacks the parts
        raise ValueError(f"this is not an NPZ file of numbers and texts: {error}") from None
    known = (*ARRAYS_OF_LOG, *ARRAYS_OF_QUERIES)
    unknown = sorted(set(arrays) - set(known))
    if unknown:
        raise ValueError(f"unknown array {unknown[0]!r}: there may be {', '.join(known)}")
    return arrays
