"""A custom strategy for LiteLLM's router."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from headrace._litellm.gateway import Deployment, Pick, gateway_of
from headrace._litellm.names import names_of, refuse_unserved
from headrace._litellm.request import Features, Group, Known, Request
from headrace._router import Router
from headrace._session import Session


class RoutingStrategy:
    """Choose the first model of requests by a fitted router.

    Requests for `name` get the model that ``router`` would run first, and of its deployments one
    that LiteLLM holds for healthy. If it has none, that model is left out and the choice is made
    anew. All other requests are left to LiteLLM.

    Parameters
    ----------
    litellm_router : litellm.Router
        Each model of ``router`` must have a deployment in it. It may hold others.
    router : Router
        Fitted. Threads and event loops may share it.
    features : callable, optional
        From a `Request` to the features of the query, an array-like of shape (d,); where the
        request is asynchronous it may be a coroutine function. Left out if the log had none.
    group : callable, optional
        From a `Request` to the group of the query.
    deployments : mapping of str to str, optional
        The ``model_name`` in LiteLLM for each model of the router, where they differ.
    name : str
        The ``model`` that requests ask for. It needs no deployment, but see the notes on retries.

    Raises
    ------
    ValueError
        The router is not fitted, or a model of it has no deployment.

    Notes
    -----
    LiteLLM asks a strategy for every request. What is left to LiteLLM is, before 1.109, picked by
    its ``routing_strategy``; from then on by weight among the healthy deployments, as its default
    does, for a custom strategy then takes the place of the others.

    LiteLLM's ``fallbacks`` apply to `name`. Its retries, each of which is decided like a new
    request, are only for names that it knows: give its router ``model_group_alias={"headrace":
    "small"}``, with any of its groups, for the alias itself picks nothing.

    Nothing is logged, and nothing of a request is kept.

    Examples
    --------
    ::

        strategy = RoutingStrategy(litellm_router, router, features=features)
        strategy.install()
        response = await litellm_router.acompletion(model="headrace", messages=messages)
    """

    def __init__(
        self,
        litellm_router: Any,
        router: Router,
        *,
        features: Features | None = None,
        group: Group | None = None,
        deployments: Mapping[str, str] | None = None,
        name: str = "headrace",
    ) -> None:
        self.name = name
        self._router = router
        self._known = Known(features, group)
        self._gateway = gateway_of(litellm_router)
        self._names = names_of(router, deployments)
        if name in self._names.values():
            raise ValueError(f"name must not be that of a deployment of the router, got {name!r}")
        refuse_unserved(self._names, self._gateway.deployments())

    def install(self) -> RoutingStrategy:
        """Let LiteLLM's router ask this strategy, by ``register_plugin``.

        Releases before 1.109 call that ``set_custom_routing_strategy``. Return the strategy.
        """
        self._gateway.install(self)
        return self

    def get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, Any]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Deployment:
        """Pick a deployment for a synchronous request; LiteLLM calls this."""
        asked = Pick(messages, input, specific_deployment, request_kwargs)
        if not self._is_ours(model, specific_deployment):
            return self._gateway.pick(model, asked)
        known = self._known.of(Request.of(messages, request_kwargs))
        attempts = _Attempts(self._router.start(**known))
        for chosen in attempts:
            with attempts.excluding(chosen):
                return self._gateway.pick(self._names[chosen], asked)
        raise attempts.failure

    async def async_get_available_deployment(
        self,
        model: str,
        messages: list[dict[str, Any]] | None = None,
        input: str | list[Any] | None = None,
        specific_deployment: bool | None = False,
        request_kwargs: dict[str, Any] | None = None,
    ) -> Deployment:
        """Pick a deployment for an asynchronous request; LiteLLM calls this."""
        asked = Pick(messages, input, specific_deployment, request_kwargs)
        if not self._is_ours(model, specific_deployment):
            return await self._gateway.apick(model, asked)
        known = await self._known.aof(Request.of(messages, request_kwargs))
        attempts = _Attempts(self._router.start(**known))
        for chosen in attempts:
            with attempts.excluding(chosen):
                return await self._gateway.apick(self._names[chosen], asked)
        raise attempts.failure

    def _is_ours(self, model: str, specific_deployment: bool | None) -> bool:
        return model == self.name and not specific_deployment


class _Attempts:
    """The first models of a session, each chosen once those before it are excluded."""

    failure: Exception

    def __init__(self, session: Session) -> None:
        self._session = session

    def __iter__(self) -> Iterator[str]:
        while (chosen := self._session.next_model) is not None:
            yield chosen

    @contextmanager
    def excluding(self, model: str) -> Iterator[None]:
        """Exclude the model if it fails."""
        try:
            yield
        except Exception as error:
            self._session.exclude(model, type(error).__name__)
            self.failure = error
