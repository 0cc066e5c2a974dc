"""A routing plugin for LiteLLM's router."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace._litellm.names import names_of
from headrace._litellm.request import Features, Group, Known, Request
from headrace._router import Router


class RoutingPlugin:
    """Narrow a model group to the model that a fitted router would run first.

    For ``litellm.Router(..., plugins=[plugin])`` in releases that have it, where deployments of
    several models share a ``model_name``. LiteLLM picks among the deployments that are left as it
    always does, by its ``routing_strategy``. It runs plugins on asynchronous requests alone, and
    refuses synchronous ones.

    Parameters
    ----------
    router : Router
        Fitted. Threads and event loops may share it.
    features : callable, optional
        From a `Request` to the features of the query, an array-like of shape (d,), or a coroutine
        function. Left out if the log had none.
    group : callable, optional
        From a `Request` to the group of the query.
    deployments : mapping of str to str, optional
        The ``litellm_params.model`` in LiteLLM for each model of the router, where they differ,
        such as ``{"small": "openai/gpt-4o-mini"}``.

    Raises
    ------
    ValueError
        The router is not fitted, or `deployments` lacks a model of it.

    Notes
    -----
    The choice is among the models of the router that the group has; the group's other models are
    then left out. A group that has none of them stays as it is. A plugin runs before LiteLLM looks
    at the health of deployments: if all of the chosen model are cooling down, the request fails
    over to LiteLLM's ``fallbacks``. `RoutingStrategy` chooses anew instead.

    Which model was chosen is written to ``context.signals["headrace"]``.

    Examples
    --------
    ::

        served = {"small": "openai/gpt-4o-mini", "large": "openai/gpt-4o"}
        plugin = RoutingPlugin(router, features=features, deployments=served)
        litellm_router = litellm.Router(model_list, plugins=[plugin])
        response = await litellm_router.acompletion(model="chat", messages=messages)
    """

    def __init__(
        self,
        router: Router,
        *,
        features: Features | None = None,
        group: Group | None = None,
        deployments: Mapping[str, str] | None = None,
    ) -> None:
        self._router = router
        self._known = Known(features, group)
        self._names = names_of(router, deployments)

    async def run(self, context: Any) -> Any:
        """Narrow ``context.candidate_models``; LiteLLM calls this."""
        offered = set(context.candidate_models)
        if offered.isdisjoint(self._names.values()):
            return context
        request = Request(context.structured_messages, context.metadata)
        session = self._router.start(**await self._known.aof(request))
        for model, name in self._names.items():
            if name not in offered:
                session.exclude(model, "not in this model group")
        chosen = session.next_model
        assert chosen is not None  # a session runs at least one model
        context.candidate_models = [
            name for name in context.candidate_models if name == self._names[chosen]
        ]
        context.signals["headrace"] = {"model": chosen}
        return context
