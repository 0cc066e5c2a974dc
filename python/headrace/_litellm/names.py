"""Which of LiteLLM's names stands for which model of a router."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headrace._litellm.gateway import Deployment
from headrace._router import Router


def names_of(router: Router, given: Mapping[str, str] | None) -> dict[str, str]:
    """Return LiteLLM's name for each model of a fitted router; by default they are the same."""
    if not isinstance(router, Router):
        raise TypeError(f"router must be a headrace.Router, got {type(router).__name__}")
    router._check_fitted()
    models = router.models_
    if given is None:
        return {model: model for model in models}
    unknown = [model for model in given if model not in models]
    if unknown:
        raise ValueError(
            f"deployments: unknown model {unknown[0]!r}, the router has {list(models)}"
        )
    missing = [model for model in models if model not in given]
    if missing:
        raise ValueError(f"deployments: the model {missing[0]!r} of the router has none")
    names = {model: given[model] for model in models}
    taken: dict[str, str] = {}
    for model, name in names.items():
        if name in taken:
            raise ValueError(f"deployments: {name!r} stands for {taken[name]!r} and for {model!r}")
        taken[name] = model
    return names


def refuse_unserved(names: Mapping[str, str], deployments: Sequence[Deployment]) -> None:
    """Refuse a model for which LiteLLM has no deployment of this ``model_name``."""
    groups = {deployment["model_name"] for deployment in deployments}
    for model, name in names.items():
        if name not in groups:
            also = "" if name == model else f" {name!r}"
            raise ValueError(
                f"the model {model!r} of the router has no deployment{also} in LiteLLM's router, "
                f"whose model_name are {sorted(groups)}: give deployments={{{model!r}: ...}}"
            )
