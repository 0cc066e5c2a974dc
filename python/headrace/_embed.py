"""Where the C and C++ files of the installed package are: ``python -m headrace --cmake-dir``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path


def include_dir() -> Path:
    """Return the folder of ``headrace.h`` and ``headrace/headrace.hpp``.

    Raises
    ------
    FileNotFoundError
        Where nothing was compiled; the message says so.
    """
    return _installed("include")


def cmake_dir() -> Path:
    """Return the folder in which CMake's ``find_package(headrace CONFIG)`` finds the package.

    Raises
    ------
    FileNotFoundError
        Where nothing was compiled; the message says so.
    """
    return _installed("lib/cmake/headrace")


FOLDERS = {"--cmake-dir": cmake_dir, "--include-dir": include_dir}


def print_folder(arguments: Sequence[str]) -> bool:
    """Print the folder that the only argument asks for; return whether it does.

    Raises
    ------
    SystemExit
        Where nothing was compiled.
    """
    if len(arguments) != 1 or arguments[0] not in FOLDERS:
        return False
    try:
        print(FOLDERS[arguments[0]]())
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from None
    return True


def _installed(name: str) -> Path:
    # Beside the extension: in an editable install the modules are elsewhere.
    extension = find_spec("headrace._core")
    if extension is None or extension.origin is None:
        raise FileNotFoundError(
            "this headrace has no C or C++ files: it is a pure wheel, built where nothing "
            "compiled. HEADRACE_REQUIRE_EXTENSION=1 pip install says what is missing"
        )
    folder = Path(extension.origin).parent / name
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is missing: install headrace anew")
    return folder
