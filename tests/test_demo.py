"""The demo: what it simulates, how it rolls out, and the command itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from headrace.__main__ import main
from headrace._demo.rollout import Outcome, at_budget, run
from headrace._demo.workload import MODELS, NOISE, simulate


def test_means_are_the_published_ones() -> None:
    workload = simulate(50_000, "low", 0)
    published = np.array(list(MODELS.values()))
    np.testing.assert_array_equal(workload.costs, published[:, 0])
    np.testing.assert_allclose(workload.quality.mean(axis=0), published[:, 1], atol=0.01)
    assert (np.diff(workload.costs) > 0).all(), "a cascade runs from the cheapest up"
    assert set(np.unique(workload.quality)) == {0.0, 1.0}


@pytest.mark.parametrize("noise", NOISE)
def test_estimates_are_posterior_means(noise: str) -> None:
    workload = simulate(50_000, noise, 1)
    change = workload.after - workload.before
    np.testing.assert_allclose(change.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(change.std(axis=0), workload.sigmas, rtol=0.03)
    for model in range(len(MODELS)):
        correlation = np.corrcoef(change[:, model], workload.before[:, model])[0, 1]
        assert abs(correlation) < 0.02, "the estimate before says nothing of the change"


def test_same_seed_same_workload() -> None:
    np.testing.assert_array_equal(simulate(50, "low", 3).before, simulate(50, "low", 3).before)
    assert (simulate(50, "low", 3).before != simulate(50, "low", 4).before).any()


def test_rollouts_keep_their_books() -> None:
    workload = simulate(500, "medium", 0)
    free = run(workload, "cascade_routing", 0.0, None)
    assert free.n_models > 1.0
    dear = run(workload, "routing", 1e6, None)
    assert dear.n_models == 1.0
    assert dear.cost == pytest.approx(workload.costs.min())
    assert dear.quality == pytest.approx(workload.quality[:, 0].mean())
    assert dear.n_decisions == 2 * 500, "one decision to run, one to stop"
    everything = run(workload, "index", 0.0, None)
    assert everything.n_models == len(MODELS), "what costs nothing is worth a look"
    assert everything.cost == pytest.approx(workload.costs.sum())


def test_a_budget_is_met_by_mixing_neighbours() -> None:
    curve = [Outcome(0.8, 3.0, 2.0, 10, 1.0), Outcome(0.4, 1.0, 1.0, 10, 1.0)]
    mixed = at_budget(curve, 1.5)
    assert (mixed.cost, mixed.n_models) == (1.5, 1.25)
    assert mixed.quality == pytest.approx(0.5)
    with pytest.raises(ValueError, match=r"between 1.0+ and 3.0+ USD"):
        at_budget(curve, 4.0)


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "demo.png"
    arguments = ["demo", "--queries", "200", "--lambdas", "8", "--output", str(picture)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    for strategy in ("routing", "cascade", "cascade_routing", "index"):
        assert any(line.startswith(strategy + " ") for line in printed.splitlines())
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["demo", "--queries", "0"], "at least 1"),
        (["demo", "--noise", "none"], "invalid choice"),
        ([], "command"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_unknown_backend(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--queries", "10", "--backend", "abacus"]) == 2
    assert "abacus" in capsys.readouterr().err


def test_missing_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo", "--queries", "10"]) == 2
    assert 'pip install "headrace[demo]"' in capsys.readouterr().err
