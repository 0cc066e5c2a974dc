"""The conventions of scikit-learn for the parameters of an estimator."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

Self = TypeVar("Self", bound="Parameters")


class Parameters:
    """Parameters are the arguments of ``__init__``, kept as they are."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments that the estimator was made with."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self: Self, **params: Any) -> Self:
        """Change arguments; the next fit uses them."""
        names = self._parameter_names()
        for name, value in params.items():
            if name not in names:
                raise ValueError(f"unknown parameter {name!r}: choose one of {names}")
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        default = inspect.signature(type(self).__init__).parameters
        changed = [
            f"{name}={value!r}"
            for name, value in self.get_params().items()
            if value is not default[name].default
        ]
        return f"{type(self).__name__}({', '.join(changed)})"
