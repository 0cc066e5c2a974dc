"""Model selection for language models: which model runs next, or do we stop?"""

from __future__ import annotations

from headrace._backends import backends
from headrace._bootstrap import Interval
from headrace._estimators.noisy import NoisyEstimator, add_noise
from headrace._estimators.precomputed import PrecomputedEstimator
from headrace._estimators.protocol import Estimates, Estimator
from headrace._evaluation import Evaluation
from headrace._frontier import Frontier, frontier
from headrace._instruction_sets import instruction_sets
from headrace._log import Queries, QueryLog
from headrace._router import Router
from headrace._select import batch_select
from headrace._selection import Selection

__version__ = "0.1.0"

__all__ = [
    "Estimates",
    "Estimator",
    "Evaluation",
    "Frontier",
    "Interval",
    "NoisyEstimator",
    "PrecomputedEstimator",
    "Queries",
    "QueryLog",
    "Router",
    "Selection",
    "__version__",
    "add_noise",
    "backends",
    "batch_select",
    "frontier",
    "instruction_sets",
]
