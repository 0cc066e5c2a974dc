"""A simulated workload of 11 language models, made from published facts.

Average costs and qualities are those of RouterBench, 0-shot (Hu et al., "RouterBench: A Benchmark
for Multi-LLM Routing System", 2024), as stored with the reference code of cascade routing, whose
noise levels are used as well (Dekoninck, Baader and Vechev, ICML 2025). Two things are assumed:
every query costs a model's average, and models depend on each other through one common difficulty.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """A model's name, average cost in USD per query, and share of queries it answers rightly."""

    name: str
    cost: float
    quality: float


@dataclass(frozen=True)
class Noise:
    """Standard deviations of what is observed of an answer's quality, before and after the run."""

    ex_ante: float
    post_hoc: float


MODELS = (  # by cost: the order of the cascade
    Model("Mistral 7B", 0.000045, 0.301),
    Model("WizardLM 13B", 0.000072, 0.427),
    Model("Mixtral 8x7B", 0.000134, 0.545),
    Model("Code Llama 34B", 0.000171, 0.198),
    Model("Yi 34B", 0.000184, 0.643),
    Model("Llama 2 70B", 0.000202, 0.331),
    Model("Claude Instant", 0.000231, 0.599),
    Model("GPT-3.5 Turbo", 0.000241, 0.618),
    Model("Claude 1", 0.002127, 0.632),
    Model("Claude 2", 0.002400, 0.637),
    Model("GPT-4 Turbo", 0.003269, 0.780),
)

NOISE = {"low": Noise(0.6, 0.3), "medium": Noise(1.6, 0.8), "high": Noise(2.4, 1.2)}

DIFFICULTY_LOADING = 0.6
"""Weight of a query's difficulty in each model's success: an assumption, not a published fact.
The latent scores of two models correlate by its square, their 0/1 qualities by about 0.2."""


@dataclass(frozen=True, eq=False)
class Workload:
    """What ``n`` queries would give with each of ``k`` models, and what is known of it.

    Attributes
    ----------
    qualities : array of shape (n, k)
        Realised quality of each answer, 0 or 1; never shown to a strategy.
    costs : array of shape (k,)
        Cost of an answer in USD.
    ex_ante, post_hoc : array of shape (n, k)
        Estimated quality before and after the model has run.
    sigmas : array of shape (k,)
        Standard deviation of ``post_hoc - ex_ante``.
    """

    qualities: FloatArray
    costs: FloatArray
    ex_ante: FloatArray
    post_hoc: FloatArray
    sigmas: FloatArray


def simulate(n_queries: int, noise: Noise, seed: int) -> Workload:
    """Draw a workload.

    Model i is right where ``loading * difficulty + sqrt(1 - loading**2) * own`` stays below the
    normal quantile of its published quality, so that it is right that often. Either signal is the
    realised quality plus normal noise. The estimates are the best linear ones: posterior means
    given the first signal, then both, with prior mean ``mu`` and variance ``mu * (1 - mu)``. So the
    change from the one to the other has mean zero, is uncorrelated with the first, and has the
    variance that the second signal takes away.

    Parameters
    ----------
    n_queries : int
        Number of queries, at least 1.
    noise : Noise
        Standard deviations of the signals.
    seed : int
        The workload depends on it, `n_queries` and `noise` alone.

    Returns
    -------
    Workload
        Rows are queries, columns are `MODELS`.
    """
    rng = np.random.default_rng(seed)
    shape = (n_queries, len(MODELS))
    difficulty = rng.standard_normal((n_queries, 1))
    own = rng.standard_normal(shape)
    scores = DIFFICULTY_LOADING * difficulty + np.sqrt(1.0 - DIFFICULTY_LOADING**2) * own
    thresholds = np.array([NormalDist().inv_cdf(model.quality) for model in MODELS])
    qualities = (scores < thresholds).astype(np.float64)

    prior = np.array([model.quality for model in MODELS])
    prior_variance = prior * (1.0 - prior)
    signal = qualities + noise.ex_ante * rng.standard_normal(shape)
    ex_ante, ex_ante_variance = update(prior, prior_variance, signal, noise.ex_ante)
    signal = qualities + noise.post_hoc * rng.standard_normal(shape)
    post_hoc, post_hoc_variance = update(ex_ante, ex_ante_variance, signal, noise.post_hoc)
    return Workload(
        qualities=qualities,
        costs=np.array([model.cost for model in MODELS]),
        ex_ante=ex_ante,
        post_hoc=post_hoc,
        sigmas=np.sqrt(ex_ante_variance - post_hoc_variance),
    )


def update(
    mean: FloatArray, variance: FloatArray, signal: FloatArray, noise: float
) -> tuple[FloatArray, FloatArray]:
    """Return the posterior mean and variance given a signal with noise of this deviation."""
    gain = variance / (variance + noise**2)
    return mean + gain * (signal - mean), (1.0 - gain) * variance
