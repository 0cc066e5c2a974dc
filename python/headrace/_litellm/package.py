"""The one place that imports LiteLLM, which takes seconds: not before it is needed."""

from __future__ import annotations

from typing import Any


def import_litellm() -> Any:
    """Return the module, or say how to install it."""
    try:
        import litellm
    except ImportError as error:
        raise ImportError(
            f'LiteLLM could not be imported ({error}): pip install "headrace[litellm]"'
        ) from error
    return litellm
