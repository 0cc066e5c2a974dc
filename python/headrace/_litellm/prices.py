"""Costs by LiteLLM's price table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from headrace._check import as_array, check_floats, check_not_negative
from headrace._litellm.package import import_litellm
from headrace._problem import Floats


def costs_of(
    models: Sequence[str], *, prompt_tokens: ArrayLike, completion_tokens: ArrayLike
) -> Floats:
    """Return what answers cost by LiteLLM's price table, in US dollars.

    For the log that a router is fitted on, where no cost was recorded.

    Parameters
    ----------
    models : sequence of str
        Names of ``k`` models as in ``litellm_params.model``, such as ``"openai/gpt-4o-mini"``.
    prompt_tokens : int, or array-like of shape (n,)
        Tokens of each query.
    completion_tokens : int, or array-like of shape (n,) or (n, k)
        Tokens of each answer.

    Returns
    -------
    float64 array of shape (n, k), or (k,) where both are single numbers

    Raises
    ------
    ValueError
        Models that the table does not know or has no price per token for, all of them; numbers of
        tokens that are negative or of shapes that do not fit.
    ImportError
        LiteLLM is not installed.

    Notes
    -----
    LiteLLM prices one answer at a time, for some models have dearer prices for long prompts: half a
    millisecond for each.

    Examples
    --------
    ::

        costs_of(["gpt-4o-mini", "gpt-4o"], prompt_tokens=1000, completion_tokens=100)
    """
    if isinstance(models, str):
        raise TypeError(f"models must be a sequence of names, got {models!r}")
    models = list(models)
    litellm = import_litellm()
    k = len(models)
    given = [as_array("prompt_tokens", prompt_tokens).shape]
    given.append(as_array("completion_tokens", completion_tokens).shape)
    n = max((shape[0] for shape in given if shape), default=1)
    prompt = _tokens("prompt_tokens", prompt_tokens, {"a number": (), "(n,)": (n,)})
    completion = _tokens(
        "completion_tokens",
        completion_tokens,
        {"a number": (), "(n,)": (n,), "(n, k)": (n, k)},
    )
    missing = [model for model in models if not has_price(model)]
    if missing:
        raise ValueError(
            f"LiteLLM's price table has no price per token for {missing}: give the costs yourself, "
            "or register prices with litellm.register_model"
        )
    asked = np.broadcast_to(prompt.reshape(-1, 1), (n, k))
    rows = completion if completion.ndim == 2 else completion.reshape(-1, 1)
    answered = np.broadcast_to(rows, (n, k))
    costs = np.empty((n, k))
    for row, column in np.ndindex(n, k):
        costs[row, column] = sum(
            litellm.cost_per_token(
                model=models[column],
                prompt_tokens=int(asked[row, column]),
                completion_tokens=int(answered[row, column]),
            )
        )
    return costs if any(given) else costs[0]


def has_price(model: str) -> bool:
    """Say whether the table has a price per token for a model; it may be 0."""
    litellm = import_litellm()
    try:
        key = litellm.get_model_info(model)["key"]
    except Exception:  # what it raises differs between releases
        return False
    return "input_cost_per_token" in litellm.model_cost.get(key, {})


def cost_of(response: Any, model: str) -> float:
    """Return what LiteLLM says that a response cost, by the deployment's own prices if it has any.

    Where it says nothing, its usage is priced as that of ``model``.
    """
    stated = getattr(response, "_hidden_params", {}).get("response_cost")
    if stated is not None:
        return float(stated)
    return float(import_litellm().completion_cost(completion_response=response, model=model))


def _tokens(what: str, given: ArrayLike, shapes: dict[str, tuple[int, ...]]) -> Floats:
    tokens = check_not_negative(what, check_floats(what, given, shapes))
    if (tokens != np.floor(tokens)).any():
        raise ValueError(f"{what} must be whole numbers")
    return tokens
