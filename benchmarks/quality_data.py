"""The measurements behind the benchmark of quality, read as logs of answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import headrace as hr
import numpy as np
from headrace._estimators.noisy import LEVELS as DEVIATIONS
from headrace._estimators.noisy import seen_through
from headrace._frontier import pareto_hull
from headrace._log import Integers
from workloads import Floats

PAPER_ORDER = (
    "WizardLM/WizardLM-13B-V1.2",
    "claude-instant-v1",
    "claude-v1",
    "claude-v2",
    "gpt-3.5-turbo-1106",
    "gpt-4-1106-preview",
    "meta/code-llama-instruct-34b-chat",
    "meta/llama-2-70b-chat",
    "mistralai/mistral-7b-chat",
    "mistralai/mixtral-8x7b-chat",
    "zero-one-ai/Yi-34B-Chat",
)
MODEL_SETS = {3: (9, 4, 5), 5: (0, 9, 4, 3, 5), 11: tuple(range(11))}
"""Positions in the paper's order."""
TUNING_SHARE = 0.1
PER_SEGMENT = 10
"""Budgets between two neighbours on the Pareto hull of single models."""
FIRST_SEED = 1000

SMALLEST_CHANCE = 1e-6
"""Confidences are kept this far from 0 and 1."""


def read_routerbench(path: Path) -> hr.QueryLog:
    """Return the log of RouterBench's models in the paper's order."""
    with np.load(path, allow_pickle=False) as file:
        log = hr.QueryLog(
            file["quality"],
            file["cost_usd"],
            models=[str(name) for name in file["models"]],
            groups=file["benchmark_names"][file["benchmark"]],
        )
    return log.subset(models=PAPER_ORDER)


def with_noise(log: hr.QueryLog, models: Sequence[int], level: str, seed: int) -> hr.QueryLog:
    """See some models of RouterBench through the noise of `headrace.add_noise`, drawn otherwise.

    Drawn as for the figures of `quality_given`: from a generator of its own for each seed, for all
    models in the paper's order, the quality before a run, then that after it, then the cost.
    """
    rng = np.random.default_rng(FIRST_SEED + seed)
    noise = rng.standard_normal((3, *log.quality.shape))[:, :, list(models)]
    chosen = log.subset(models=list(models))
    return seen_through(chosen, DEVIATIONS[level], np.moveaxis(noise, 0, 2))


def tuning_and_test_rows(log: hr.QueryLog) -> tuple[Integers, Integers]:
    """Return the rows that tune and those that test, the same for all draws of the noise."""
    order = np.random.default_rng(42).permutation(log.n_queries)
    first = round(TUNING_SHARE * log.n_queries)
    return order[:first], order[first:]


def read_confidences(path: Path) -> tuple[hr.QueryLog, Integers, Integers]:
    """Return the log of answers with confidences, and the rows that tune and test.

    Features are the input tokens by model, signals the log-odds of the confidences. gsm8k has no
    test rows and is in neither part.
    """
    with np.load(path, allow_pickle=False) as file:
        benchmark = file["benchmark_names"][file["benchmark"]]
        log = hr.QueryLog(
            file["quality"].astype(np.float64),
            file["cost_usd"],
            features=file["tokens_in"].astype(np.float64),
            signals=_log_odds(file["logprob"]),
            latency=file["latency_ms"] / 1000.0,
            models=[str(name) for name in file["models"]],
            groups=benchmark,
        )
        is_test = file["is_test"] == 1
    tuning = ~is_test & (benchmark != "gsm8k")
    return log, np.flatnonzero(tuning), np.flatnonzero(is_test)


def _log_odds(log_probabilities: Floats) -> Floats:
    chance = np.clip(np.exp(log_probabilities), SMALLEST_CHANCE, 1.0 - SMALLEST_CHANCE)
    odds: Floats = np.log(chance) - np.log1p(-chance)
    return odds


def read_categories(path: Path) -> hr.QueryLog:
    """Return the log of MMLU-Pro by category; the cost is the length of the answer."""
    with np.load(path, allow_pickle=False) as file:
        quality = np.where(file["quality"] > 1, np.nan, file["quality"])
        length = file["response_chars"].astype(np.float64)
        return hr.QueryLog(
            quality,
            length,
            signals=np.log1p(length),
            models=[str(name) for name in file["models"]],
            groups=file["category_names"][file["category"]],
        )


def hull_budgets(log: hr.QueryLog) -> Floats:
    """Return evenly spaced budgets within every segment of the Pareto hull of single models."""
    costs = log.cost.mean(axis=0)
    corners = costs[pareto_hull(costs, log.quality.mean(axis=0))].tolist()
    return np.unique([np.linspace(low, high, PER_SEGMENT) for low, high in pairwise(corners)])
