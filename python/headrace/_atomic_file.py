"""Files that are there as a whole, or as they were before."""

from __future__ import annotations

import os
import tempfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there as a whole, or as it was before."""
    path = path.resolve()  # a link stays one
    if path.exists() and not path.is_file():
        raise OSError(f"{str(path)!r} is no file that could be replaced")
    try:
        handle, temporary = tempfile.mkstemp(prefix=".headrace.", dir=path.parent)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def save_picture(figure: Figure, path: Path) -> None:
    """Save a figure in the format that the path's ending names."""
    buffer = BytesIO()
    figure.savefig(buffer, format=path.suffix[1:].lower())
    write_atomically(path, buffer.getvalue())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
