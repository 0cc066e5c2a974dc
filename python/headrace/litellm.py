"""LiteLLM's router, with models chosen by a fitted :class:`headrace.Router`.

`RoutingStrategy` and `RoutingPlugin` choose the first model of a request inside LiteLLM; `cascade`
drives a whole cascade through it; `costs_of` gives the costs for a log from LiteLLM's price table.
Needs ``pip install "headrace[litellm]"``, which is imported when something of it is needed.
"""

from __future__ import annotations

from headrace._litellm.cascade import cascade
from headrace._litellm.plugin import RoutingPlugin
from headrace._litellm.prices import costs_of
from headrace._litellm.request import Request
from headrace._litellm.signals import mean_logprob
from headrace._litellm.strategy import RoutingStrategy

__all__ = [
    "Request",
    "RoutingPlugin",
    "RoutingStrategy",
    "cascade",
    "costs_of",
    "mean_logprob",
]
