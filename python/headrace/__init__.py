"""Model selection for language models: which model runs next, or do we stop?"""

from __future__ import annotations

from headrace._backends import backends
from headrace._bootstrap import Interval
from headrace._drive import AllModelsFailed, Answer, Run
from headrace._estimators.binary import BinaryEstimator
from headrace._estimators.check import EstimatorCheck, check_estimator
from headrace._estimators.gaussian import GaussianEstimator
from headrace._estimators.noisy import NoisyEstimator, add_noise
from headrace._estimators.precomputed import PrecomputedEstimator
from headrace._estimators.protocol import Estimates, Estimator, SavableEstimator
from headrace._evaluation import Evaluation
from headrace._explanation import Explanation
from headrace._frontier import Frontier, frontier
from headrace._instruction_sets import instruction_sets
from headrace._log import Queries, QueryLog
from headrace._reveals import Reveals
from headrace._router import Router, load_router
from headrace._select import batch_select
from headrace._selection import Selection
from headrace._session import Session, SessionError

__version__ = "0.1.0"

__all__ = [
    "AllModelsFailed",
    "Answer",
    "BinaryEstimator",
    "Estimates",
    "Estimator",
    "EstimatorCheck",
    "Evaluation",
    "Explanation",
    "Frontier",
    "GaussianEstimator",
    "Interval",
    "NoisyEstimator",
    "PrecomputedEstimator",
    "Queries",
    "QueryLog",
    "Reveals",
    "Router",
    "Run",
    "SavableEstimator",
    "Selection",
    "Session",
    "SessionError",
    "__version__",
    "add_noise",
    "backends",
    "batch_select",
    "check_estimator",
    "frontier",
    "instruction_sets",
    "load_router",
]
