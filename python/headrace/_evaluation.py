"""What a policy really costs and gives on a log with labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from headrace._bootstrap import Interval, interval, resampled_means
from headrace._log import QueryLog
from headrace._problem import Floats
from headrace._rollout import Rollouts


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Realised figures of a policy, each a mean over queries with its bootstrap interval.

    A policy that is a mixture enters with its shares as weights: nothing is drawn.

    Attributes
    ----------
    n_queries : int
    quality : Interval
        Quality of the answers given.
    cost : Interval
        Cost of all models that ran, with what was charged for estimates and decisions.
    latency : Interval, or None
        Seconds, one model after the other; None if the log has no latency.
    first_token_latency : Interval, or None
        Seconds until the first token can be shown. That is when the last run is over, for until
        then another model may answer; but at the first token of the last run where it answers
        whatever it says: routing, ``max_depth=1``, and the last step of a threshold cascade.
    models_per_query : Interval
        How many models ran.
    answered : dict of str to Interval
        Share of queries that each model answered.
    stopped : tuple of Interval
        Share of queries on which one model ran, two models, and so on.
    groups : dict of str to Evaluation
        The same for each group of the log.
    """

    n_queries: int
    quality: Interval
    cost: Interval
    latency: Interval | None
    first_token_latency: Interval | None
    models_per_query: Interval
    answered: dict[str, Interval]
    stopped: tuple[Interval, ...]
    groups: dict[str, Evaluation] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = [(f"{self.n_queries:,} queries", "mean", "95 % interval")]
        for name, value in self._figures():
            rows.append((name, f"{value.mean:.4g}", f"{value.low:.4g} to {value.high:.4g}"))
        for group, part in self.groups.items():
            rows.append((f"group {group}: {part.n_queries:,} queries", "", ""))
            for name, value in (("  quality", part.quality), ("  cost", part.cost)):
                rows.append((name, f"{value.mean:.4g}", f"{value.low:.4g} to {value.high:.4g}"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            f"{name:<{widths[0]}}  {mean:>{widths[1]}}  {rest}".rstrip()
            for name, mean, rest in rows
        )

    def _figures(self) -> Iterable[tuple[str, Interval]]:
        yield "quality", self.quality
        yield "cost", self.cost
        if self.latency is not None:
            yield "latency", self.latency
        if self.first_token_latency is not None:
            yield "first token", self.first_token_latency
        yield "models per query", self.models_per_query
        for model, share in self.answered.items():
            if share.mean > 0.0:
                yield f"answered by {model}", share
        for step, share in enumerate(self.stopped, 1):
            yield f"stopped after {step}", share


def evaluate_rollouts(
    log: QueryLog,
    shares: Iterable[tuple[float, Rollouts]],
    *,
    sure_step: int | None,
    n_bootstrap: int,
    seed: int,
    estimate_cost: float,
    decision_cost: float,
) -> Evaluation:
    """Evaluate rollouts on all queries of a log, at one price each, weighted by their shares.

    ``sure_step`` is the step whose answer is given whatever it says, if there is one.
    """
    shares = list(shares)
    n, k = log.n_queries, log.n_models
    n_steps = max(rollouts.paths.shape[2] for _, rollouts in shares)
    columns = {
        "quality": np.zeros((n, 1)),
        "cost": np.zeros((n, 1)),
        "models": np.zeros((n, 1)),
        "answered": np.zeros((n, k)),
        "stopped": np.zeros((n, n_steps)),
    }
    for name, seconds in (("latency", log.latency), ("first token", log.first_token_latency)):
        if seconds is not None:
            columns[name] = np.zeros((n, 1))
    for share, rollouts in shares:
        steps, answers = rollouts.steps[0], rollouts.answers[0]
        charged = estimate_cost * rollouts.estimates[0] + decision_cost * rollouts.decisions[0]
        columns["quality"][:, 0] += share * rollouts.answered(log.quality)[0]
        columns["cost"][:, 0] += share * (rollouts.summed(log.cost)[0] + charged)
        columns["models"][:, 0] += share * steps
        columns["answered"][np.arange(n), answers] += share
        columns["stopped"][np.arange(n), steps - 1] += share
        if log.latency is not None:
            columns["latency"][:, 0] += share * rollouts.summed(log.latency)[0]
            if log.first_token_latency is not None:
                first = rollouts.until_first_token(log.latency, log.first_token_latency, sure_step)
                columns["first token"][:, 0] += share * first[0]

    whole = _evaluation(log.models, columns, n_bootstrap, seed)
    groups = log.queries.groups
    if groups is not None:
        for label in np.unique(groups):
            rows = groups == label
            part = {name: values[rows] for name, values in columns.items()}
            whole.groups[str(label)] = _evaluation(log.models, part, n_bootstrap, seed)
    return whole


def _evaluation(
    models: tuple[str, ...], columns: dict[str, Floats], n_bootstrap: int, seed: int
) -> Evaluation:
    table = np.concatenate(list(columns.values()), axis=1)
    drawn = resampled_means(table, n_bootstrap, seed)
    bounds = np.cumsum([0, *(values.shape[1] for values in columns.values())]).tolist()
    found = {
        name: [interval(float(table[:, j].mean()), drawn[:, j]) for j in range(first, end)]
        for name, first, end in zip(columns, bounds[:-1], bounds[1:], strict=True)
    }
    return Evaluation(
        n_queries=len(table),
        quality=found["quality"][0],
        cost=found["cost"][0],
        latency=found["latency"][0] if "latency" in found else None,
        first_token_latency=found["first token"][0] if "first token" in found else None,
        models_per_query=found["models"][0],
        answered=dict(zip(models, found["answered"], strict=True)),
        stopped=tuple(found["stopped"]),
    )
