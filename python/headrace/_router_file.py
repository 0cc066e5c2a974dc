"""The file of a saved router: its state in a tensor file, with a version."""

from __future__ import annotations

import json
from os import PathLike, fspath
from typing import Any

from headrace._estimators.binary import BinaryEstimator
from headrace._estimators.gaussian import GaussianEstimator
from headrace._estimators.noisy import NoisyEstimator
from headrace._estimators.precomputed import PrecomputedEstimator
from headrace._estimators.protocol import Estimator, SavableEstimator
from headrace._state import Saved, StateError, put, put_parameter, take, take_parameter
from headrace._tensor_file import FileFormatError, read_tensor_file, tensor_file_content

ESTIMATORS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (BinaryEstimator, GaussianEstimator, NoisyEstimator, PrecomputedEstimator)
}
"""Those of the package that a file may name."""

KIND = "headrace router"
FORMAT = 1
"""Raised when a file of before could be read wrongly, or one of now by a reader of before."""

ESTIMATOR = "estimator"
OWN = "own estimator"


def router_file_content(saved: Saved, estimator: Estimator) -> bytes:
    """Return the content of a file with the state of a router and its fitted estimator."""
    put_estimator(saved, estimator)
    texts = {
        "kind": KIND,
        "format": str(FORMAT),
        "values": json.dumps(saved.values, allow_nan=False, sort_keys=True),
    }
    return tensor_file_content(saved.arrays, texts)


def read_router_file(path: str | PathLike[str], own: Estimator | None) -> tuple[Saved, Estimator]:
    """Return the state of a router, and its estimator; see `headrace.load_router`."""
    try:
        arrays, texts = read_tensor_file(path)
        saved = Saved(arrays, _values(texts))
        return saved, take_estimator(saved, own)
    except (ValueError, TypeError) as error:  # whichever check it was
        raise unreadable(path, error) from None


def unreadable(path: str | PathLike[str], error: object) -> ValueError:
    """Return the error of a file that no router can be made of."""
    return ValueError(f"{fspath(path)!r} is not a saved router that can be read: {error}")


def _values(texts: dict[str, str]) -> dict[str, Any]:
    if texts.get("kind") != KIND:
        raise FileFormatError("it holds arrays, but not those of a router")
    version = texts.get("format", "")
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise FileFormatError(f"it has no version, got {version!r}")
    if int(version) > FORMAT:
        raise FileFormatError(
            f"it was saved by a newer headrace, in format {version}, and this one reads formats "
            f"up to {FORMAT}: upgrade headrace"
        )
    try:
        values = json.loads(texts.get("values", ""))
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"its values are not JSON: {error}") from None
    if not isinstance(values, dict):
        raise FileFormatError("its values must be an object")
    return values


def put_estimator(saved: Saved, estimator: Estimator) -> None:
    """Save an estimator: one of the package by its table, the user's own by ``get_state``."""
    name = type(estimator).__name__
    if ESTIMATORS.get(name) is type(estimator):
        saved.values[ESTIMATOR] = name
        put(saved, ESTIMATOR, estimator)
    elif isinstance(estimator, SavableEstimator):
        saved.values[OWN] = name
        for key, value in estimator.get_state().items():
            put_parameter(saved, f"{ESTIMATOR}.{key}", value)
    else:
        raise ValueError(
            f"{name} cannot be saved: an estimator of your own needs get_state() and "
            "set_state(state), see headrace.SavableEstimator"
        )


def take_estimator(saved: Saved, own: Estimator | None) -> Estimator:
    """Make the estimator that was saved, or give its state to the user's own."""
    if OWN not in saved.values:
        name = saved.value(ESTIMATOR, str)
        if own is not None:
            raise StateError(f"its estimator is a {name} of the package, so leave estimator out")
        if name not in ESTIMATORS:
            raise StateError(f"its estimator is unknown: {name!r}")
        made: Estimator = take(saved, ESTIMATOR, ESTIMATORS[name])
        return made
    name = saved.value(OWN, str)
    if own is None or type(own).__name__ != name or not isinstance(own, SavableEstimator):
        raise StateError(
            f"its estimator is a {name} of your own: give one with set_state as "
            f"estimator, got {own!r}"
        )
    prefix = f"{ESTIMATOR}."
    keys = sorted(key for key in saved.values if key.startswith(prefix))
    own.set_state({key.removeprefix(prefix): take_parameter(saved, key) for key in keys})
    return own
