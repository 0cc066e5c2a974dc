"""Frontiers: areas as the paper has them, curves that do what routers do, paired intervals."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace._bootstrap import resampled_means
from headrace._frontier import INTERPOLATION, area_under_curves, pareto_hull
from hypothesis import given
from hypothesis import strategies as st
from routers import Blend, make_log, permuted

TRAIN, TEST = make_log(240, 4, 20).split(0.5)
STRATEGIES = ("routing", "threshold_cascade", "cascade", "cascade_routing", "index")


@pytest.fixture(scope="module")
def found() -> hr.Frontier:
    """Every strategy at a few budgets."""
    return hr.frontier(Blend(), TRAIN, TEST, strategies=STRATEGIES, n_budgets=8)


def area_by_hand(
    costs: list[float], qualities: list[float], low: float, high: float, worst: float
) -> float:
    """Integrate the definition on a fine grid."""
    points = sorted(set(zip(costs, qualities, strict=True)))
    x = [cost for cost, _ in points]
    y = [quality for _, quality in points]
    if x[-1] < high:
        x, y = [*x, high], [*y, y[-1]]
    if x[0] > low:
        x, y = [low, *x], [worst, *y]
    inner = sorted({low, high, *(cost for cost in x if low < cost < high)})
    area = 0.0
    for left, right in itertools.pairwise(inner):
        middle = (left + right) / 2.0
        area += (right - left) * float(np.interp(middle, x, y))
    return area / (high - low)


@given(
    points=st.lists(
        st.tuples(st.integers(0, 40).map(lambda i: i / 8), st.floats(-1.0, 1.0)),
        min_size=1,
        max_size=8,
        unique_by=lambda point: point[0],
    )
)
def test_areas(points: list[tuple[float, float]]) -> None:
    costs, qualities = (list(values) for values in zip(*points, strict=True))
    area = area_under_curves(np.array([costs]), np.array([qualities]), 1.0, 4.0, -1.0)
    assert area[0] == pytest.approx(area_by_hand(costs, qualities, 1.0, 4.0, -1.0), abs=1e-12)


def test_the_hull_is_above_all_models() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        costs, qualities = rng.uniform(size=(2, 8))
        hull = pareto_hull(costs, qualities)
        assert hull[0] == costs.argmin()
        assert hull[-1] == qualities.argmax()
        assert (np.diff(costs[hull]) > 0.0).all()
        assert (np.interp(costs, costs[hull], qualities[hull]) >= qualities - 1e-12).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_curve_is_what_a_router_does(found: hr.Frontier, strategy: str) -> None:
    curve = found.curves[strategy]
    for column, budget in list(enumerate(found.budgets))[1:-1:3]:
        try:
            router = hr.Router(Blend(), strategy=strategy, lookahead=curve.lookahead)
            evaluation = router.fit(TRAIN, budget=budget).evaluate(TEST, n_bootstrap=2)
        except ValueError:  # a budget that no policy meets has the nearest policy
            continue
        assert curve.costs[column] == pytest.approx(evaluation.cost.mean, rel=0.01)
        assert curve.qualities[column] == pytest.approx(evaluation.quality.mean, abs=0.01)


def test_areas_of_the_strategies(found: hr.Frontier) -> None:
    areas = found.auc()
    assert list(areas) == [INTERPOLATION, *STRATEGIES]
    for area in areas.values():
        assert area.low < area.mean < area.high
    assert areas["cascade_routing"].mean > areas["routing"].mean > areas[INTERPOLATION].mean
    assert areas["cascade_routing"].mean > areas["cascade"].mean


def test_differences_are_paired(found: hr.Frontier) -> None:
    areas, differences = found.auc(), found.differences()
    assert len(differences) == 15
    for (one, other), difference in differences.items():
        assert difference.mean == pytest.approx(areas[one].mean - areas[other].mean)
    close = differences["cascade_routing", "index"]
    area = areas["index"]
    assert close.high - close.low < 0.5 * (area.high - area.low)


def test_the_bootstrap_resamples_rows() -> None:
    values = np.random.default_rng(0).normal(size=(400, 2))
    values[:, 1] = values[:, 0] + 1.0
    drawn = resampled_means(values, 3000, 1)
    assert (drawn == resampled_means(values, 3000, 1)).all()
    assert drawn[:, 1] - drawn[:, 0] == pytest.approx(np.ones(3000))
    assert drawn[:, 0].mean() == pytest.approx(values[:, 0].mean(), abs=0.005)
    assert drawn[:, 0].std() == pytest.approx(values[:, 0].std() / 20.0, rel=0.08)


def test_the_order_of_models_does_not_matter(found: hr.Frontier) -> None:
    shuffle = [2, 0, 3, 1]
    other = hr.frontier(Blend(), permuted(TRAIN, shuffle), permuted(TEST, shuffle), n_budgets=8)
    for name, curve in found.curves.items():
        assert other.curves[name].costs == pytest.approx(curve.costs)
        assert other.curves[name].qualities == pytest.approx(curve.qualities)


def test_nothing_is_learnt_from_the_test_log(found: hr.Frontier) -> None:
    flipped = hr.QueryLog(
        -TEST.quality,
        TEST.cost,
        features=TEST.queries.features,
        signals=TEST.queries.signals[:, :, 0] if TEST.queries.signals is not None else None,
        models=TEST.models,
    )
    other = hr.frontier(Blend(), TRAIN, flipped, strategies=["cascade_routing"], n_budgets=8)
    curve, same = other.curves["cascade_routing"], found.curves["cascade_routing"]
    assert (curve.query_costs == same.query_costs).all()
    assert curve.query_qualities == pytest.approx(-same.query_qualities)


def test_routers_with_labels_of_their_own() -> None:
    routers = {
        "looks ahead": hr.Router(Blend(0.3), lookahead=1.0),
        "does not": hr.Router(Blend(0.3), lookahead=0.0),
    }
    both = hr.frontier(Blend(), TRAIN, TEST, strategies=routers, budgets=[0.4, 1.0, 0.4])
    assert both.budgets.tolist() == [0.4, 1.0]
    assert list(both.curves) == [INTERPOLATION, "looks ahead", "does not"]
    assert both.curves["does not"].lookahead == 0.0


def test_table(found: hr.Frontier) -> None:
    lines = found.table(n_bootstrap=50).splitlines()
    assert len(lines) == 2 + 6 + 1
    assert lines[0].split()[:2] == ["strategy", "AUC"]
    assert lines[2].startswith(INTERPOLATION)
    assert "latency" in lines[-1]


def test_picture(found: hr.Frontier, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    axes = found.plot(n_bootstrap=20)
    texts = {text.get_text() for text in axes.texts}
    assert {"cascade routing", "linear interpolation", "index"} <= texts
    figure: Any = axes.figure
    figure.savefig(tmp_path / "frontier.png")
    assert (tmp_path / "frontier.png").stat().st_size > 10_000


def with_nan(log: hr.QueryLog) -> hr.QueryLog:
    quality = log.quality.copy()
    quality[1, 2] = np.nan
    return hr.QueryLog(quality, log.cost, models=log.models)


FAULTS: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("models", {"test": permuted(TEST, [1, 0, 2, 3])}, ValueError, "models of train"),
    ("missing", {"test": with_nan(TEST)}, ValueError, "quality in test of model 'model c' is miss"),
    ("one name", {"strategies": "index"}, TypeError, "sequence of names"),
    ("no name", {"strategies": ()}, ValueError, "at least one"),
    ("unknown", {"strategies": ["best"]}, ValueError, "unknown strategy 'best'"),
    ("twice", {"strategies": ["index", "index"]}, ValueError, "different"),
    ("no router", {"strategies": {"a": "index"}}, TypeError, r"strategies\['a'\] must be a Router"),
    (
        "fixed",
        {"strategies": {"a": hr.Router(Blend(), lambda_=0.3)}},
        ValueError,
        "a fixed lambda_",
    ),
    ("label", {"strategies": {INTERPOLATION: hr.Router(Blend())}}, ValueError, "another one"),
    ("budgets", {"budgets": [[1.0]]}, ValueError, r"budgets must have shape \(P,\)"),
    ("no budget", {"budgets": []}, ValueError, "at least one"),
    ("bad budget", {"budgets": [1.0, -2.0]}, ValueError, "budgets must not be negative.* index 1"),
    ("n_budgets", {"n_budgets": 1}, ValueError, "n_budgets must be at least 2"),
    ("seed", {"seed": -1}, ValueError, "seed must be at least 0"),
]


@pytest.mark.parametrize(
    ("changed", "kind", "message"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS]
)
def test_bad_input(changed: dict[str, Any], kind: type[Exception], message: str) -> None:
    arguments = {"train": TRAIN, "test": TEST, "strategies": ["routing"]} | changed
    call: Callable[..., Any] = hr.frontier
    with pytest.raises(kind, match=message):
        call(Blend(), **arguments)
