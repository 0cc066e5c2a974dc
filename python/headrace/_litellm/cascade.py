"""A whole cascade through LiteLLM's router."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from numpy.typing import ArrayLike

from headrace._drive import Answer, Run
from headrace._litellm.gateway import Deployment, gateway_of
from headrace._litellm.names import names_of, refuse_unserved
from headrace._litellm.prices import cost_of, has_price
from headrace._litellm.request import Features, Group, Known, Request
from headrace._litellm.signals import mean_logprob
from headrace._router import Router

PRICES = ("input_cost_per_token", "input_cost_per_second")
"""A deployment that has one of these brings its own prices."""


async def cascade(
    litellm_router: Any,
    router: Router,
    messages: Sequence[Mapping[str, Any]],
    *,
    features: Features | None = None,
    group: Group | None = None,
    signal: Callable[[Any], ArrayLike] | None = mean_logprob,
    cost: Callable[[Any], float] | None = None,
    deployments: Mapping[str, str] | None = None,
    timeout: float | None = None,
    deadline: float | None = None,
    options: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> Run:
    """Answer one request: run models through LiteLLM until another is not worth its price.

    Parameters
    ----------
    litellm_router : litellm.Router
        Each model of ``router`` must have a deployment in it. Its retries, cooldowns and balancing
        among deployments apply. Its fallbacks do not: a model that fails is excluded, and what to
        do next is decided anew.
    router : Router
        Fitted.
    messages : sequence of mappings
        Of the request.
    features : callable, optional
        From a `Request` to the features of the query, an array-like of shape (d,), or a coroutine
        function. Left out if the log had none.
    group : callable, optional
        From a `Request` to the group of the query.
    signal : callable, optional
        From a response to the signal, a number or an array-like of shape (m,), as in the log. By
        default `mean_logprob`, for which ``logprobs=True`` is asked. None if the log had none.
    cost : callable, optional
        From a response to what it cost. By default as LiteLLM says: by its price table, or the
        prices of the deployment.
    deployments : mapping of str to str, optional
        The ``model_name`` in LiteLLM for each model of the router, where they differ.
    timeout, deadline : float, optional
        Seconds for one call and for all of it, as of :meth:`headrace.Router.arun`.
    options : mapping, optional
        Other options of :meth:`headrace.Router.start`, such as ``latency_weight``.
    **arguments
        For LiteLLM's ``acompletion``, such as ``max_tokens`` or ``metadata``. Not ``stream``.

    Returns
    -------
    Run
        Its ``answer`` is the chosen response of LiteLLM.

    Raises
    ------
    AllModelsFailed
        No model gave an answer; with the reasons.
    ValueError
        Before anything is called: the router is not fitted, a model of it has no deployment, or
        LiteLLM has no price for one and `cost` is not given.

    Examples
    --------
    ::

        run = await cascade(litellm_router, router, messages, features=features, max_tokens=200)
        run.answer.choices[0].message.content, run.model, run.cost
    """
    for name in ("model", "stream"):
        if arguments.get(name):
            raise ValueError(f"{name} cannot be given: a cascade needs whole answers of its models")
    names = names_of(router, deployments)
    served = gateway_of(litellm_router).deployments()
    refuse_unserved(names, served)
    if cost is None:
        _refuse_unpriced(names, served)
    priced = {one["model_name"]: one["litellm_params"]["model"] for one in served}
    known = await Known(features, group).aof(Request.of(messages, arguments))
    if signal is mean_logprob:
        arguments.setdefault("logprobs", True)

    async def call(model: str) -> Answer:
        response = await litellm_router.acompletion(
            model=names[model],
            messages=[dict(message) for message in messages],
            **_own(arguments),
            disable_fallbacks=True,
        )
        spent = cost_of(response, priced[names[model]]) if cost is None else cost(response)
        return Answer(response, None if signal is None else signal(response), spent)

    return await router.arun(
        known["features"],
        call,
        group=known["group"],
        timeout=timeout,
        deadline=deadline,
        **(options or {}),
    )


def _own(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the arguments of a call, of which LiteLLM changes the metadata."""
    copied = dict(arguments)
    for name in ("metadata", "litellm_metadata"):
        if isinstance(copied.get(name), dict):
            copied[name] = dict(copied[name])
    return copied


def _refuse_unpriced(names: Mapping[str, str], deployments: Sequence[Deployment]) -> None:
    groups = {name: model for model, name in names.items()}
    for one in deployments:
        parameters, model = one["litellm_params"], groups.get(one["model_name"])
        about = one.get("model_info") or {}
        own = [given.get(price) for given in (parameters, about) for price in PRICES]
        if model is None or any(price is not None for price in own):
            continue
        base = about.get("base_model") or parameters.get("base_model")
        if not has_price(base or parameters["model"]):
            raise ValueError(
                f"LiteLLM has no price for {parameters['model']!r}, a deployment of the model "
                f"{model!r}: give cost=..., or input_cost_per_token and output_cost_per_token in "
                "its litellm_params"
            )
