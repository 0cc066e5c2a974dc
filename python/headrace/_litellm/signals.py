"""What an answer tells of its own quality."""

from __future__ import annotations

from typing import Any

import numpy as np


def mean_logprob(response: Any) -> float:
    """Return the mean log-probability of the tokens of an answer.

    Parameters
    ----------
    response : litellm.ModelResponse
        Asked for with ``logprobs=True``, as `cascade` does.

    Returns
    -------
    float
        Not above 0; a signal as in the log that a router is fitted on.

    Raises
    ------
    ValueError
        The answer has no log-probabilities: not all providers give them.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tokens = [{"token": "forty", "logprob": -0.5}, {"token": "-two", "logprob": -0.25}]
    >>> choice = SimpleNamespace(logprobs={"content": tokens})
    >>> mean_logprob(SimpleNamespace(choices=[choice]))
    -0.375
    """
    logprobs = _read(response.choices[0], "logprobs")
    tokens = _read(logprobs, "content") or []
    if not tokens:
        raise ValueError(
            "the answer has no log-probabilities: give signal=..., a function of the response"
        )
    return float(np.mean([_read(token, "logprob") for token in tokens]))


def _read(holder: Any, name: str) -> Any:
    """Read a field of an object or of a mapping; LiteLLM has both, by provider."""
    return holder.get(name) if isinstance(holder, dict) else getattr(holder, name, None)
