"""What there is to save of a fitted object: declared once, as a table of its parts.

A class that can be saved has a table ``STATE`` from the names of its attributes to what they are.
The table is the format of its part of a file: arrays go by their dotted names, such as
``estimator.mean_.means_``, all else into one JSON object by the same names. It is also the check:
what does not fit the table is refused before an object is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[np.generic]]
Values = dict[str, Any]
"""What JSON holds, by dotted names."""
Sizes = dict[str, int]
T = TypeVar("T")


class StateError(ValueError):
    """What was read does not fit the table."""


@dataclass(frozen=True)
class Array:
    """An array of float64 (``"f"``), int64 (``"i"``) or bool (``"b"``).

    A size is a number, or a name that stands for the same number wherever it is used in an object.
    """

    kind: str
    sizes: tuple[str | int, ...]
    optional: bool = False


@dataclass(frozen=True)
class Value:
    """A number, text or truth value of one of these types; a number may name a size."""

    types: tuple[type, ...]
    size: str | None = None


@dataclass(frozen=True)
class Labels:
    """Different labels of one kind, sorted: texts, or numbers."""


@dataclass(frozen=True)
class Texts:
    """A list of different texts."""

    size: str


@dataclass(frozen=True)
class Part:
    """An object of one of these classes, or a list of them.

    ``sizes`` are names of sizes that it shares, from its own name to that of the owner.
    """

    classes: tuple[type, ...]
    many: bool = False
    optional: bool = False
    sizes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """What a user gave: None, a truth value, a number, a text or an array of numbers."""


Kind = Array | Value | Labels | Texts | Part | Parameter
LARGEST_WIDTH = 2**24
"""Most features, or signals of an answer, that a file may tell of."""
KINDS = {"i": np.int64, "f": np.float64, "b": np.bool_}


@dataclass
class Saved:
    """Arrays and values by dotted names."""

    arrays: Arrays = field(default_factory=dict)
    values: Values = field(default_factory=dict)

    def array(self, name: str) -> NDArray[np.generic]:
        """Take an array out."""
        if name not in self.arrays:
            raise StateError(f"there is no array {name!r}")
        return self.arrays.pop(name)

    def value(self, name: str, *types: type) -> Any:
        """Take a value of one of these types out; an integer serves as a float."""
        if name not in self.values:
            raise StateError(f"there is no value {name!r}")
        value = self.values.pop(name)
        if type(value) is int and float in types and int not in types:
            value = float(value) if abs(value) < 2**1000 else np.inf
        if type(value) not in types:
            wanted = " or ".join(one.__name__ for one in types)
            raise StateError(f"value {name!r} must be {wanted}, got {value!r}")
        return value

    def refuse_rest(self) -> None:
        """Raise if something is left that nothing asked for."""
        rest = [*self.arrays, *self.values]
        if rest:
            raise StateError(f"nothing knows {rest[0]!r}")


def table_of(kind: type) -> dict[str, Kind]:
    """Return the table of a class."""
    table: dict[str, Kind] = kind.STATE  # type: ignore[attr-defined]
    return table


def put(saved: Saved, name: str, owner: object) -> None:
    """Save the parts of an object below a name."""
    for attribute, kind in table_of(type(owner)).items():
        _put_part(saved, f"{name}.{attribute}", getattr(owner, attribute), kind)


def take(saved: Saved, name: str, kind: type[T], sizes: Sizes | None = None) -> T:
    """Make an object of what was saved below a name: of its parameters, then the other parts.

    One with a method ``refuse_nonsense`` is asked whether it makes sense.
    """
    table = table_of(kind)
    sizes = {} if sizes is None else sizes
    parts = {
        attribute: _take_part(saved, f"{name}.{attribute}", part, sizes)
        for attribute, part in table.items()
    }
    given = {name for name, part in table.items() if isinstance(part, Parameter)}
    made: T = kind(**{name: parts[name] for name in given}) if given else kind.__new__(kind)
    for attribute in parts.keys() - given:
        object.__setattr__(made, attribute, parts[attribute])  # also of frozen data classes
    check = getattr(made, "refuse_nonsense", None)
    if check is not None:
        check()
    return made


def _put_part(saved: Saved, name: str, value: Any, kind: Kind) -> None:
    if isinstance(kind, Parameter):
        put_parameter(saved, name, value)
    elif isinstance(kind, Labels):
        _put_labels(saved, name, value)
    elif isinstance(kind, Texts):
        saved.values[name] = list(value)
    elif isinstance(kind, Value):
        saved.values[name] = value.item() if isinstance(value, np.generic) else value
    elif isinstance(kind, Array):
        if value is not None:
            saved.arrays[name] = np.asarray(value, dtype=KINDS[kind.kind])
    elif kind.many:
        saved.values[name] = [type(one).__name__ for one in value]
        for i, one in enumerate(value):
            put(saved, f"{name}.{i}", one)
    else:
        saved.values[name] = None if value is None else type(value).__name__
        if value is not None:
            put(saved, name, value)


def _take_part(saved: Saved, name: str, kind: Kind, sizes: Sizes) -> Any:
    if isinstance(kind, Parameter):
        return take_parameter(saved, name)
    if isinstance(kind, Labels):
        return _take_labels(saved, name)
    if isinstance(kind, Texts):
        texts = saved.value(name, list)
        if not all(isinstance(text, str) for text in texts) or len(set(texts)) < len(texts):
            raise StateError(f"value {name!r} must be different texts, got {texts!r}")
        _agree(name, kind.size, len(texts), sizes)
        return tuple(texts)
    if isinstance(kind, Value):
        value = saved.value(name, *kind.types)
        if kind.size is not None:
            _agree(name, kind.size, value, sizes)
        return value
    if isinstance(kind, Array):
        if kind.optional and name not in saved.arrays:
            return None
        array = saved.array(name)
        if array.dtype != KINDS[kind.kind] or array.ndim != len(kind.sizes):
            raise StateError(
                f"array {name!r} must be {np.dtype(KINDS[kind.kind])} with {len(kind.sizes)} "
                f"dimensions, got {array.dtype} of shape {array.shape}"
            )
        if np.isnan(array).any():
            raise StateError(f"array {name!r} has NaN in it")
        for size, got in zip(kind.sizes, array.shape, strict=True):
            _agree(name, size, got, sizes)
        return array
    by_name = {one.__name__: one for one in kind.classes}
    if not kind.many:
        which = saved.value(name, str, type(None))
        if which is None and kind.optional:
            return None
        return _take_object(saved, name, which, by_name, kind, sizes)
    return [
        _take_object(saved, f"{name}.{i}", which, by_name, kind, sizes)
        for i, which in enumerate(saved.value(name, list))
    ]


def _take_object(
    saved: Saved, name: str, which: object, by_name: dict[str, type], kind: Part, sizes: Sizes
) -> Any:
    if not isinstance(which, str) or which not in by_name:
        raise StateError(f"{name!r} must be one of {list(by_name)}, got {which!r}")
    inner = {own: sizes[shared] for own, shared in kind.sizes.items() if shared in sizes}
    made: Any = take(saved, name, by_name[which], inner)
    for own, shared in kind.sizes.items():
        if own in inner:
            _agree(name, shared, inner[own], sizes)
    return made


def _agree(name: str, size: str | int, got: int, sizes: Sizes) -> None:
    expected = sizes.setdefault(size, got) if isinstance(size, str) else size
    if got != expected or got < 0:
        raise StateError(f"{name!r} has size {got} where {size} is {expected}")


def put_parameter(saved: Saved, name: str, value: Any) -> None:
    """Save what a user gave, or raise if it is of a kind that a file cannot hold."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        saved.values[name] = value
        return
    if isinstance(value, np.ndarray | list | tuple):
        array = np.asarray(value)
        kind = KINDS.get("i" if array.dtype.kind == "u" else array.dtype.kind)
        if kind is not None and np.can_cast(array.dtype, kind, "safe"):
            saved.arrays[name] = array.astype(kind)
            saved.values[name] = "array"
            return
    raise ValueError(
        f"{name} is {value!r}, which a file cannot hold without running code when it is read: "
        "numbers, texts and arrays of numbers can be saved"
    )


def take_parameter(saved: Saved, name: str) -> Any:
    """Return what a user gave."""
    value = saved.value(name, type(None), bool, int, float, str)
    return saved.array(name) if value == "array" and name in saved.arrays else value


def _put_labels(saved: Saved, name: str, labels: NDArray[np.generic]) -> None:
    if labels.dtype.kind in "biuf" and np.can_cast(labels.dtype, np.float64, "safe"):
        put_parameter(saved, name, labels)
    elif labels.dtype.kind == "U":
        saved.values[name] = labels.tolist()
    else:
        raise ValueError(
            f"labels of groups of dtype {labels.dtype} cannot be saved: use texts or numbers"
        )


def _take_labels(saved: Saved, name: str) -> NDArray[np.generic]:
    texts = saved.value(name, str, list)
    if texts == "array":
        labels = saved.array(name)
    elif isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
        labels = np.array(texts)
    else:
        raise StateError(f"value {name!r} must hold labels")
    if labels.ndim != 1 or not np.array_equal(np.unique(labels), labels):
        raise StateError(f"labels {name!r} must be different ones, sorted")
    return labels
