"""What is asked of LiteLLM's router, in the words of its releases.

From 1.109 on, a router has ``registry()``, ``select()`` and ``register_plugin()``; before, what
they replace: ``model_list``, the methods that pick, and ``set_custom_routing_strategy()``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Deployment: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Pick:
    """The arguments with which LiteLLM asks a strategy for a deployment.

    Attributes
    ----------
    messages, input : object
        Of the request.
    specific_deployment : bool or None
    arguments : dict
        All arguments of the request.
    """

    messages: Any
    input: Any
    specific_deployment: bool | None
    arguments: dict[str, Any] | None

    def options(self) -> dict[str, Any]:
        """Return them by the names that LiteLLM's own methods take.

        The arguments are a copy: LiteLLM takes out of them what it has used, such as deployments
        that have failed, and may be asked again for another model.
        """
        return {
            "messages": self.messages,
            "input": self.input,
            "specific_deployment": self.specific_deployment,
            "request_kwargs": dict(self.arguments or {}),
        }

    def adopt(self, used: Mapping[str, Any]) -> None:
        """Make the arguments what LiteLLM has made of the copy with which it picked."""
        if self.arguments is not None:
            for name in self.arguments.keys() - used.keys():
                del self.arguments[name]
            self.arguments.update(used)


class Gateway(Protocol):
    """A LiteLLM router, whatever its release."""

    def deployments(self) -> Sequence[Deployment]:
        """Return all deployments."""

    def install(self, strategy: object) -> None:
        """Let a custom strategy pick all deployments."""

    def pick(self, group: str, asked: Pick) -> Deployment:
        """Return LiteLLM's own choice among the healthy deployments of a group, or raise."""

    async def apick(self, group: str, asked: Pick) -> Deployment:
        """Return the same."""


class CurrentGateway:
    """LiteLLM 1.109 or newer."""

    def __init__(self, router: Any) -> None:
        self._router = router

    def deployments(self) -> Sequence[Deployment]:
        """Return all deployments."""
        listed: Sequence[Deployment] = self._router.registry().all()
        return listed

    def install(self, strategy: object) -> None:
        """Let a custom strategy pick all deployments."""
        self._router.register_plugin(strategy)

    def pick(self, group: str, asked: Pick) -> Deployment:
        """Return a healthy deployment of a group, or raise.

        LiteLLM lists them on an event loop alone, and this thread may be running one.
        """
        with ThreadPoolExecutor(1) as pool:
            within = copy_context().run
            return pool.submit(within, asyncio.run, self.apick(group, asked)).result()

    async def apick(self, group: str, asked: Pick) -> Deployment:
        """Return a healthy deployment of a group, or raise.

        Once a custom strategy is installed, LiteLLM offers no pick of its own, so this is what its
        default, the simple shuffle, does.
        """
        options = asked.options()
        healthy = await self._router.select(group, kind="healthy", **options)
        asked.adopt(options["request_kwargs"])
        return healthy if isinstance(healthy, Mapping) else shuffled(healthy)


class EarlierGateway:
    """LiteLLM before 1.109.

    A custom strategy is written over the methods of the instance, so those of the class are
    LiteLLM's own.
    """

    def __init__(self, router: Any) -> None:
        self._router = router

    def deployments(self) -> Sequence[Deployment]:
        """Return all deployments."""
        listed: Sequence[Deployment] = self._router.model_list or []
        return listed

    def install(self, strategy: object) -> None:
        """Let a custom strategy pick all deployments."""
        self._router.set_custom_routing_strategy(strategy)

    def pick(self, group: str, asked: Pick) -> Deployment:
        """Return LiteLLM's own choice among the healthy deployments of a group, or raise."""
        own = type(self._router).get_available_deployment
        options = asked.options()
        chosen: Deployment = own(self._router, model=group, **options)
        asked.adopt(options["request_kwargs"])
        return chosen

    async def apick(self, group: str, asked: Pick) -> Deployment:
        """Return the same."""
        own = type(self._router).async_get_available_deployment
        options = asked.options()
        chosen: Deployment = await own(self._router, model=group, **options)
        asked.adopt(options["request_kwargs"])
        return chosen


def gateway_of(router: Any) -> Gateway:
    """Return what speaks to a LiteLLM router."""
    if hasattr(router, "register_plugin"):
        return CurrentGateway(router)
    if hasattr(router, "set_custom_routing_strategy"):
        return EarlierGateway(router)
    raise TypeError(f"litellm_router must be a litellm.Router, got {type(router).__name__}")


def shuffled(deployments: Sequence[Deployment]) -> Deployment:
    """Return one at random, by the first of ``weight``, ``rpm``, ``tpm`` that one of them has."""
    for metric in ("weight", "rpm", "tpm"):
        weights = [float(one["litellm_params"].get(metric) or 0.0) for one in deployments]
        if any(weight > 0.0 for weight in weights):
            return random.choices(deployments, weights)[0]
    return random.choice(deployments)
