"""The demo: what it simulates, how it rolls out, and the command itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from headrace.__main__ import main
from headrace._demo.main import BUDGET_SHARE
from headrace._demo.rollout import (
    STRATEGIES,
    Sweep,
    interpolate_models,
    prices,
    roll_out,
    sweep,
)
from headrace._demo.workload import MODELS, NOISE, FloatArray, Workload, simulate

MANY = 40_000
DEVIATIONS = 5.0
"""Sampling errors may reach this many standard deviations."""


@pytest.fixture(scope="module", params=NOISE)
def many(request: pytest.FixtureRequest) -> Workload:
    """Enough queries to see means and correlations, at each level of noise."""
    return simulate(MANY, NOISE[request.param], seed=1)


@pytest.fixture(scope="module")
def few() -> Workload:
    """Enough queries to roll out."""
    return simulate(300, NOISE["medium"], seed=2)


def correlation(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return the correlation of equal columns."""
    left, right = left - left.mean(axis=0), right - right.mean(axis=0)
    return np.asarray((left * right).mean(axis=0) / (left.std(axis=0) * right.std(axis=0)))


def test_means_are_the_published_ones(many: Workload) -> None:
    published = np.array([model.quality for model in MODELS])
    error = np.sqrt(published * (1.0 - published) / MANY)
    assert set(np.unique(many.qualities)) == {0.0, 1.0}
    assert (abs(many.qualities.mean(axis=0) - published) < DEVIATIONS * error).all()
    assert many.costs.tolist() == [model.cost for model in MODELS]
    assert (np.diff(many.costs) > 0.0).all(), "a cascade runs from the cheapest up"


def test_models_share_the_difficulty(many: Workload) -> None:
    pairs = np.asarray(np.corrcoef(many.qualities.T))[np.triu_indices(len(MODELS), 1)]
    assert pairs.min() > 0.1
    assert pairs.max() < 0.4


def test_estimates_are_linear_posterior_means(many: Workload) -> None:
    for estimates in (many.ex_ante, many.post_hoc):
        errors = many.qualities - estimates
        assert (abs(errors.mean(axis=0)) < DEVIATIONS * errors.std(axis=0) / MANY**0.5).all()
        assert (abs(correlation(errors, estimates)) < DEVIATIONS / MANY**0.5).all()


def test_changes_of_estimates_are_martingale_steps(many: Workload) -> None:
    changes = many.post_hoc - many.ex_ante
    assert (abs(changes.mean(axis=0)) < DEVIATIONS * many.sigmas / MANY**0.5).all()
    assert (abs(correlation(changes, many.ex_ante)) < DEVIATIONS / MANY**0.5).all()
    np.testing.assert_allclose(
        changes.std(axis=0), many.sigmas, rtol=DEVIATIONS / (2 * MANY) ** 0.5
    )


def test_seed_fixes_the_workload() -> None:
    first, again, other = (simulate(50, NOISE["low"], seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.post_hoc, again.post_hoc)
    assert (first.post_hoc != other.post_hoc).any()


@pytest.mark.parametrize("lambda_", [20.0, 300.0, 5000.0])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rollouts_keep_their_books(few: Workload, strategy: str, lambda_: float) -> None:
    rollout = roll_out(few, strategy, lambda_, None)
    n_queries, n_models = few.qualities.shape
    depth = rollout.ran.sum(axis=1)
    rows = np.arange(n_queries)

    assert depth.min() >= 1
    assert depth.max() <= n_models
    assert rollout.decisions == (depth + (depth < n_models)).sum(), "a run each, then a stop"
    np.testing.assert_allclose(rollout.costs, [few.costs[ran].sum() for ran in rollout.ran])
    assert rollout.ran[rows, rollout.answers].all()
    best = np.where(rollout.ran, few.post_hoc, -np.inf).max(axis=1)
    np.testing.assert_array_equal(few.post_hoc[rows, rollout.answers], best)
    np.testing.assert_array_equal(rollout.qualities, few.qualities[rows, rollout.answers])
    if strategy == "routing":
        assert depth.max() == 1
    if strategy == "cascade":
        assert (np.diff(rollout.ran.astype(int), axis=1) <= 0).all(), "a prefix of the columns"


def test_free_models_all_run(few: Workload) -> None:
    rollout = roll_out(few, "index", 0.0, None)
    assert rollout.ran.all()
    assert rollout.decisions == rollout.ran.size


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_extreme_prices_lie_on_both_sides_of_the_budget(few: Workload, strategy: str) -> None:
    calls: list[None] = []
    swept = sweep(few, strategy, prices(few.costs, 2), None, lambda: calls.append(None))
    budget = BUDGET_SHARE * few.costs.max()
    assert len(calls) == 2
    assert swept.costs[0] < budget < swept.costs[1]
    assert swept.mix(budget)[1] == pytest.approx(budget)


def test_mixtures_are_linear_in_cost() -> None:
    swept = Sweep(
        strategy="index",
        costs=np.array([1.0, 3.0, 4.0]),
        qualities=np.array([0.4, 0.8, 0.9]),
        models=np.array([1.0, 2.0, 5.0]),
        decisions=10,
        seconds=1.0,
    )
    assert swept.mix(1.5) == pytest.approx((0.5, 1.5, 1.25))
    assert swept.mix(9.0) == pytest.approx((0.9, 4.0, 5.0)), "it does not pretend to spend more"


def test_no_single_model_beats_the_interpolation(few: Workload) -> None:
    baseline = interpolate_models(few)
    assert (np.diff(baseline.costs) > 0.0).all()
    reached = np.interp(few.costs, baseline.costs, baseline.qualities)
    assert (few.qualities.mean(axis=0) <= reached + 1e-12).all()


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("tqdm")
    picture = tmp_path / "demo.png"
    arguments = ["demo", "--queries", "200", "--lambdas", "4", "--output", str(picture)]
    tables = []
    for _ in range(2):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 0
        lines = capsys.readouterr().out.splitlines()
        rows = {line.split()[0]: line.split() for line in lines if line}
        tables.append([rows[strategy][1:4] for strategy in STRATEGIES])
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert tables[0] == tables[1], "the same seed gives the same numbers"
    assert {cost for _, cost, _ in tables[0]} == {"0.654"}, "all spend the budget"
    with pytest.raises(SystemExit):
        main([*arguments, "--json"])
    document = json.loads(capsys.readouterr().out)
    told = {row["strategy"]: row for row in document["strategies"]}
    assert [f"{told[strategy]['quality']:.3f}" for strategy in STRATEGIES] == [
        quality for quality, _, _ in tables[0]
    ]
    assert document["picture"] == str(picture)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["race"], "race"),
        (["demo", "--queries", "99"], "'99' is not an integer of at least 100"),
        (["demo", "--seed", "one"], "'one' is not an integer of at least 0"),
        (["demo", "--lambdas", "1"], "at least 2"),
        (["demo", "--noise", "none"], "'none' is not one of 'low', 'medium', 'high'"),
        (["demo", "--backend", "abacus"], "'abacus' is none of auto, cpp, numba, reference"),
        (["demo", "--output", "demo.doc"], "'demo.doc' does not end in .png"),
        (["demo", "--output", "no/such/demo.png"], "is not a directory"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_unavailable_backend(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("headrace.backends", lambda: {"cpp": "not compiled", "reference": None})
    with pytest.raises(SystemExit):
        main(["demo", "--backend", "cpp"])
    assert "'cpp' is not available: not compiled" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["matplotlib", "tqdm"])
def test_missing_extra(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SystemExit) as caught:
        main(["demo"])
    assert caught.value.code == 2
    assert 'pip install "headrace[cli]"' in capsys.readouterr().err
