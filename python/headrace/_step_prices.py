"""Prices that differ from step to step (Dekoninck, Baader and Vechev, ICML 2025, Theorem 2).

The price at a step is the policy's price times a factor of the step. Factors are found one step
after the other: those of the other steps stay, some are tried on a line of prices, all at once, and
one is taken if its realised outcome is better: of prices, by more than chance explains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from headrace._forecasts import Forecasts
from headrace._policy import Policy
from headrace._problem import Floats
from headrace._progress import progress_bar
from headrace._rollout import Rollouts, roll_out

MOST_STEPS = 6
"""Later steps share a factor: few queries get so far."""
N_SWEEPS = 2
TRIED = (1 / 16, 1 / 8, 0.25, 0.5, 0.7, 0.85, 1.2, 1.4, 2.0, 4.0, 8.0, 16.0)
"""Changes of a factor."""
REACH = 8.0
"""The line of prices goes so many times up and down."""
N_PRICES = 25
MOST_PAIRS = 2**20
"""Queries times prices that are rolled out at once, for their memory."""
CERTAIN = 2.0
"""Standard errors by which a change of prices has to be better. One price for all steps is near the
best in theory; one threshold is not, as estimates of different models differ in scale."""


@dataclass(frozen=True)
class Aim:
    """What is to be good, and what is to be met.

    Attributes
    ----------
    score : callable
        From rollouts to what is to be high, of shape (L, n).
    met : callable, or None
        From rollouts to the values, of shape (L, n), whose mean is to be the target. None where the
        price is fixed.
    target : float
        The mean to be met; or the fixed price.
    """

    score: Callable[[Rollouts], Floats]
    met: Callable[[Rollouts], Floats] | None
    target: float


def find_step_factors(
    forecasts: Forecasts, policy: Policy, aim: Aim, price: float, *, progress: bool = False
) -> Policy:
    """Return the policy with the factors found, around a price at which it meets the target."""
    n_steps = min(policy.most_models(forecasts.n_models), MOST_STEPS)
    if n_steps == 1 or price <= 0.0:
        return policy
    line = np.array([price]) if aim.met is None else line_around(policy, price)
    factors = np.ones(n_steps)
    best = _outcomes(forecasts, policy, aim, line, factors[None])[0]
    certain = 0.0 if policy.by_threshold else CERTAIN
    for _ in range(N_SWEEPS):
        before = factors.copy()
        for step in progress_bar(list(range(1, n_steps)), progress, "prices by step"):
            tried = np.tile(factors, (len(TRIED), 1))
            tried[:, step] *= TRIED
            outcomes = _outcomes(forecasts, policy, aim, line, tried)
            gains = [_gain(outcome, best, certain) for outcome in outcomes]
            place = int(np.argmax(gains))
            if gains[place] > 0.0:
                factors, best = tried[place], outcomes[place]
        if np.array_equal(factors, before):
            break
    return policy.with_step_factors(factors.tolist())


def line_around(policy: Policy, price: float) -> Floats:
    """Return prices around one, the dearest policy first."""
    line: Floats = price * np.geomspace(1.0 / REACH, REACH, N_PRICES)
    return line[::-1] if policy.by_threshold else line


def _gain(outcome: Floats | None, best: Floats | None, certain: float) -> float:
    """Return by how much an outcome is better, if by so many standard errors; else 0."""
    if outcome is None or best is None:
        return 0.0
    gain = outcome - best
    mean = float(gain.mean())
    return mean if mean > certain * float(gain.std()) / np.sqrt(len(gain)) else 0.0


def _outcomes(
    forecasts: Forecasts, policy: Policy, aim: Aim, line: Floats, tried: Floats
) -> list[Floats | None]:
    """Return the score of each query for each set of factors, mixed so that the target is met.

    None where the target lies between no two neighbours on the line.
    """
    each = max(1, MOST_PAIRS // (len(line) * len(forecasts.queries)))
    if len(tried) > each:
        parts = np.split(tried, np.arange(each, len(tried), each))
        return [one for part in parts for one in _outcomes(forecasts, policy, aim, line, part)]
    prices = (line[None, :, None] * tried[:, None, :]).reshape(-1, tried.shape[1])
    rollouts = roll_out(forecasts, policy, prices)
    score = aim.score(rollouts).reshape(len(tried), len(line), -1)
    if aim.met is None:
        return [one[0] for one in score]
    met = aim.met(rollouts).reshape(score.shape).mean(axis=2)
    return [_mixed(means, one, aim.target) for means, one in zip(met, score, strict=True)]


def _mixed(means: Floats, score: Floats, target: float) -> Floats | None:
    """Mix the two neighbours on the line between which the target lies, the cheapest such."""
    above = means >= target
    crossings = np.flatnonzero(above[:-1] != above[1:])
    if not len(crossings):
        return None
    at = int(crossings[-1])
    share = (means[at] - target) / (means[at] - means[at + 1])
    mixed: Floats = share * score[at + 1] + (1.0 - share) * score[at]
    return mixed
