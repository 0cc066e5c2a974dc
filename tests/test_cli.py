"""The command line: what it reads, writes and says, and how it fails."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from headrace._bench import DisagreementError, measure
from headrace._cli.main import COMMANDS, cli

MODELS = ("small", "big|8b", "huge")
ENDINGS = (".csv", ".parquet", ".npz")


def run(*arguments: object) -> Result:
    """Run a command within this process."""
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def printed(*arguments: object) -> Any:
    """Return the JSON document that a command prints, and see that it prints nothing else."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


def error(*arguments: object, exit_code: int = 2) -> str:
    """Return the one line of a command that fails."""
    result = run(*arguments)
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("headrace: error: ")
    return result.stderr


def make_log(n: int = 160, seed: int = 0) -> hr.QueryLog:
    rng = np.random.default_rng(seed)
    hard = rng.random((n, 1))
    right = rng.random((n, 3)) < 1.0 - hard * [0.9, 0.6, 0.3]
    latency = rng.uniform(0.5, 2.0, (n, 3))
    return hr.QueryLog(
        right,
        rng.uniform(0.9, 1.1, (n, 3)) * [0.1, 0.5, 2.0],
        features=np.hstack([hard + rng.normal(0.0, 0.2, (n, 1)), rng.random((n, 1))]),
        signals=right + rng.normal(0.0, 0.5, (n, 3)),
        latency=latency,
        first_token_latency=0.3 * latency,
        models=MODELS,
        groups=rng.choice(["ä", "b"], n),
    )


def cells(template: str, array: Any) -> dict[str, Any]:
    """Return a column for each model."""
    return {template.format(model=name): array[:, i] for i, name in enumerate(MODELS)}


def observed(queries: hr.Queries) -> dict[str, Any]:
    """Return the columns of what is known of queries."""
    assert queries.features is not None
    assert queries.signals is not None
    return {
        "text": [f'"{row}",\n' for row in range(len(queries))],  # of no use
        "feature|b": queries.features[:, 1],  # columns are in no order
        **cells("{model}|signal", queries.signals[:, :, 0]),
        "group": queries.groups,
        "feature|a": queries.features[:, 0],
    }


def save_arrays(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def write_columns(path: Path, columns: dict[str, Any]) -> Path:
    frame = pd.DataFrame(columns)
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


def write_log(path: Path, log: hr.QueryLog) -> Path:
    """Write a log as the command line expects it."""
    if path.suffix == ".npz":
        save_arrays(
            path,
            quality=log.quality,
            cost=log.cost,
            latency=log.latency,
            first_token_latency=log.first_token_latency,
            features=log.queries.features,
            signals=log.queries.signals,
            groups=log.queries.groups,
            models=log.models,
        )
        return path
    labels = {
        **cells("{model}|quality", log.quality),
        **cells("{model}|cost", log.cost),
        **cells("{model}|latency", log.latency),
        **cells("{model}|first_token_latency", log.first_token_latency),
    }
    return write_columns(path, observed(log.queries) | labels)


@pytest.fixture(scope="module")
def log() -> hr.QueryLog:
    return make_log()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, log: hr.QueryLog) -> Path:
    """A folder with a log in each format, a router, and files that are none."""
    folder = tmp_path_factory.mktemp("cli")
    for ending in ENDINGS:
        whole = write_log(folder / f"log{ending}", log).read_bytes()
        (folder / f"cut{ending}").write_bytes(whole[: len(whole) // 2 - 1])
    hr.Router(hr.GaussianEstimator()).fit(log, budget=0.5).save(folder / "router")
    (folder / "cut").write_bytes((folder / "router").read_bytes()[:-1])
    return folder


@pytest.fixture(scope="module")
def router(folder: Path) -> hr.Router:
    return hr.load_router(folder / "router")


@pytest.mark.parametrize("ending", ENDINGS)
def test_fit_saves_what_the_package_saves(folder: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / "mine"
    told = printed("fit", folder / f"log{ending}", "--budget", 0.5, "--output", path)
    assert path.read_bytes() == (folder / "router").read_bytes()
    router = hr.load_router(path)
    assert told["target"] == {"budget": 0.5}
    assert tuple(told["models"]) == MODELS
    assert tuple(told["lambdas"]) == router.lambdas_
    assert (told["gamma"], told["lookahead"]) == (router.gamma_, router.lookahead_)
    text = run("fit", folder / f"log{ending}", "--budget", 0.5, "--output", path)
    assert f"{path}: cascade_routing over 3 models, from 160 queries" in text.stdout
    assert f"lambda {router.lambda_:.6g}, gamma {router.gamma_:.4g}, look-ahead" in text.stdout
    assert text.stderr == ""


def test_options_of_fit_are_those_of_the_router(
    folder: Path, tmp_path: Path, log: hr.QueryLog
) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for options, router, target in (
        (
            ["--strategy", "cascade", "--max-depth", 2, "--lookahead", 0.5, "--per-step",
             "--seed", 3, "--quality", 0.7, "--calibration", "logistic"],
            hr.Router(hr.GaussianEstimator(calibration="logistic"), strategy="cascade",
                      max_depth=2, lookahead=0.5, per_step=True, seed=3),
            {"quality": 0.7},
        ),
        (
            ["--estimator", "binary", "--search", "greedy", "--lambda", 0.2],
            hr.Router(hr.BinaryEstimator(), search="greedy", lambda_=0.2),
            {},
        ),
        (
            ["--strategy", "threshold_cascade", "--budget", 0.6],
            hr.Router(hr.GaussianEstimator(), strategy="threshold_cascade"),
            {"budget": 0.6},
        ),
    ):  # fmt: skip
        assert run("fit", folder / "log.npz", "--output", mine, *options).exit_code == 0
        router.fit(log, **target).save(theirs)  # type: ignore[arg-type]
        assert mine.read_bytes() == theirs.read_bytes()


def test_columns_of_your_own(tmp_path: Path, log: hr.QueryLog) -> None:
    signals = log.queries.signals
    features = log.queries.features
    assert signals is not None
    assert features is not None
    path = write_columns(
        tmp_path / "log.csv",
        {
            **cells("q {model}", log.quality),
            **cells("c {model}", log.cost),
            **cells("s {model}", signals[:, :, 0]),
            **cells("t {model}", -signals[:, :, 0]),
            "length": features[:, 0],
            "feature|a": features[:, 1],
            "tenant": log.queries.groups,
        },
    )
    columns = ["--signal-column", "s {model}", "--signal-column", "t {model}"]
    columns += ["--feature-column", "length", "--group-column", "tenant"]
    labels = ["--quality-column", "q {model}", "--cost-column", "c {model}"]
    saved = tmp_path / "router"
    expected = hr.Router(hr.GaussianEstimator(), strategy="index").fit(
        hr.QueryLog(
            log.quality,
            log.cost,
            features=features[:, :1],
            signals=np.concatenate([signals, -signals], axis=2),
            models=MODELS,
            groups=log.queries.groups,
        ),
        budget=0.5,
    )
    told = printed(
        "fit", path, "--output", saved, "--strategy", "index", "--budget", 0.5, *columns, *labels
    )
    assert tuple(told["lambdas"]) == expected.lambdas_
    assert printed("select", saved, path, *columns)["next_model"] == [None] * log.n_queries


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_the_layout_of_routerbench(tmp_path: Path, log: hr.QueryLog, ending: str) -> None:
    path = write_columns(
        tmp_path / f"bench{ending}",
        {
            "sample_id": np.arange(log.n_queries),
            "eval_name": log.queries.groups,
            **cells("{model}", log.quality),
            **cells("{model}|total_cost", log.cost),
        },
    )
    rows = hr.QueryLog.from_routerbench(path)
    saved = tmp_path / "router"
    options = ["--layout", "routerbench"]
    printed("fit", path, "--output", saved, "--budget", 0.5, *options)
    found = printed("evaluate", saved, path, *options)
    assert found == json.loads(json.dumps(asdict(hr.load_router(saved).evaluate(rows))))
    line = error("fit", path, "--output", saved, "--budget", 0.5, *options, "--group-column", "x")
    assert "--layout routerbench knows its columns" in line


@pytest.mark.parametrize("ending", ENDINGS)
def test_evaluate_says_what_the_package_says(
    folder: Path, router: hr.Router, log: hr.QueryLog, ending: str
) -> None:
    path = folder / f"log{ending}"
    options = {"n_bootstrap": 50, "seed": 3, "estimate_cost": 0.1, "decision_cost": 0.01}
    given = ["--bootstrap", 50, "--seed", 3, "--estimate-cost", 0.1, "--decision-cost", 0.01]
    expected = router.evaluate(log, **options)  # type: ignore[arg-type]
    assert printed("evaluate", folder / "router", path, *given) == json.loads(
        json.dumps(asdict(expected))
    )
    assert run("evaluate", folder / "router", path, *given).stdout == f"{expected}\n"


def test_models_are_found_by_name(folder: Path, tmp_path: Path, log: hr.QueryLog) -> None:
    fewer = [MODELS[2], MODELS[0]]
    router = hr.Router(hr.GaussianEstimator()).fit(log.subset(models=fewer), budget=0.5)
    router.save(tmp_path / "router")
    found = printed("evaluate", tmp_path / "router", folder / "log.csv", "--bootstrap", 10)
    expected = router.evaluate(log.subset(models=fewer), n_bootstrap=10)
    assert found["cost"] == asdict(expected.cost)
    assert list(found["answered"]) == fewer


def test_frontier_says_what_the_package_says(
    folder: Path, tmp_path: Path, log: hr.QueryLog
) -> None:
    train, test = log.split(0.4, seed=1)
    strategies = ["routing", "index"]
    expected = hr.frontier(
        hr.GaussianEstimator(), train, test, strategies=strategies, n_budgets=4, seed=1
    )
    picture = tmp_path / "a.svg"
    options = ["--strategies", "routing,index", "--n-budgets", 4, "--seed", 1, "--bootstrap", 20]
    split = [folder / "log.csv", "--share", 0.4]
    found = printed("frontier", *split, *options, "--plot", picture)
    assert found["auc"] == {name: asdict(area) for name, area in expected.auc(20).items()}
    assert found["differences"][0] == {
        "of": "linear interpolation",
        "minus": "routing",
        **asdict(expected.differences(20)["linear interpolation", "routing"]),
    }
    assert found["budgets"] == expected.budgets.tolist()
    for name, curve in expected.curves.items():
        assert found["curves"][name]["costs"] == curve.costs.tolist()
        assert found["curves"][name]["qualities"] == curve.qualities.tolist()
    assert "</svg>" in picture.read_text(encoding="utf-8")

    assert run("frontier", *split, *options).stdout == expected.table(20) + "\n"
    for name, part in (("train.parquet", train), ("test.npz", test)):
        write_log(tmp_path / name, part)
    parts = [tmp_path / "train.parquet", "--test", tmp_path / "test.npz"]
    assert printed("frontier", *parts, *options)["auc"] == found["auc"]
    budgets = printed("frontier", *parts, *options[:2], "--budgets", "0.2,1")["budgets"]
    assert budgets == [0.2, 1.0]

    # The options of a router; each changes something here.
    router = hr.Router(hr.GaussianEstimator(), strategy="threshold_cascade", per_step=True)
    alone = hr.frontier(
        router.estimator, train, test, strategies={"threshold_cascade": router}, n_budgets=4, seed=1
    )
    told = ["frontier", *parts, "--n-budgets", 4, "--seed", 1, "--strategies"]
    curves = [
        printed(*told, strategy, *policy)["curves"][strategy]
        for strategy, policy in (
            ("threshold_cascade", ["--per-step"]),
            ("threshold_cascade", []),
            ("cascade_routing", []),
            ("cascade_routing", ["--lookahead", 0]),
            ("cascade_routing", ["--max-depth", 1]),
            ("cascade_routing", ["--search", "greedy"]),
        )
    ]
    assert curves[0]["costs"] == alone.curves["threshold_cascade"].costs.tolist()
    assert curves[0] != curves[1]
    assert all(curve != curves[2] for curve in curves[3:])


def asked(n: int = 60) -> tuple[hr.Queries, Any, Any]:
    """Return queries with signals where models have run, those models, and who is dearer."""
    rng = np.random.default_rng(5)
    ran = rng.random((n, 3)) < 0.5
    log = make_log(n, seed=5)
    assert log.queries.signals is not None
    signals = np.where(ran[:, :, None], log.queries.signals, np.nan)
    known = hr.QueryLog(
        np.full((n, 3), np.nan),
        np.full((n, 3), np.nan),
        features=log.queries.features,
        signals=signals,
        groups=log.queries.groups,
    )
    return known.queries, ran, rng.random(n) < 0.5


def write_queries(path: Path, queries: hr.Queries, **more: Any) -> Path:
    if path.suffix == ".npz":
        known = {name: getattr(queries, name) for name in ("features", "signals", "groups")}
        save_arrays(path, **known, **more)
        return path
    columns = observed(queries)
    if "ran" in more:
        columns |= cells("{model}|ran", more["ran"])
    if "dearer" in more:
        columns["dearer"] = more["dearer"]
    return write_columns(path, columns)


def expected_rows(
    router: hr.Router, queries: hr.Queries, ran: Any, dearer: Any
) -> list[tuple[str | None, str | None]]:
    rows: list[tuple[str | None, str | None]] = []
    for row in range(len(queries)):
        one = queries.rows([row])
        model = router.select(one, ran[[row]], dearer=dearer[[row]]).next_model[0]
        if model >= 0:
            rows.append((router.models_[model], None))
        else:
            rows.append((None, router.models_[router.answer(one, ran[[row]])[0]]))
    return rows


@pytest.mark.parametrize("ending", ENDINGS)
def test_select_is_select_row_by_row(
    folder: Path, tmp_path: Path, router: hr.Router, ending: str
) -> None:
    queries, ran, dearer = asked()
    path = write_queries(tmp_path / f"queries{ending}", queries, dearer=dearer)
    expected = expected_rows(router, queries, ran, dearer)
    assert {name for row in expected for name in row} == {None, *MODELS}, "all cases are there"
    found = printed("select", folder / "router", path)
    assert list(zip(found["next_model"], found["answer"], strict=True)) == expected

    texts = [tuple(name or "" for name in row) for row in expected]
    plain = run("select", folder / "router", path).stdout.splitlines()
    assert plain == ["next_model,answer", *(",".join(row) for row in texts)]
    for written in ENDINGS:
        output = tmp_path / f"chosen{written}"
        counted = run("select", folder / "router", path, "--output", output)
        stops = sum(name is None for name, _ in expected)
        assert counted.stdout.startswith("60 queries: ")
        assert counted.stdout.endswith(f" {stops} stop\n")
        if written == ".npz":
            with np.load(output) as arrays:
                rows = list(zip(arrays["next_model"], arrays["answer"], strict=True))
        else:
            frame = pd.read_csv(output) if written == ".csv" else pd.read_parquet(output)
            rows = list(frame.fillna("").itertuples(index=False, name=None))
        assert rows == texts
    assert not list(tmp_path.glob(".*")), "nothing is left beside"


@pytest.mark.parametrize("ending", ENDINGS)
def test_select_is_told_what_has_run(
    folder: Path, tmp_path: Path, router: hr.Router, ending: str
) -> None:
    full = make_log(60, seed=5).queries
    _, ran, dearer = asked()
    path = write_queries(tmp_path / f"queries{ending}", full, ran=ran)
    found = printed("select", folder / "router", path)
    rows = list(zip(found["next_model"], found["answer"], strict=True))
    assert rows == expected_rows(router, full, ran, np.zeros_like(dearer))


def test_select_before_anything_has_run(folder: Path, tmp_path: Path, router: hr.Router) -> None:
    queries, ran, dearer = asked(8)
    columns = observed(queries)
    bare = {name: columns[name] for name in ("feature|a", "feature|b", "group")}
    empty = bare | {"huge|signal": [None] * 8}
    none = np.zeros_like(ran)
    expected = expected_rows(router, queries, none, np.zeros_like(dearer))
    for name, given in (("bare", bare), ("empty", empty)):
        for ending in (".csv", ".parquet"):
            path = write_columns(tmp_path / f"{name}{ending}", given)
            found = printed("select", folder / "router", path)
            assert found["next_model"] == [model for model, _ in expected]
    save_arrays(tmp_path / "a.npz", features=queries.features, groups=queries.groups)
    found = printed("select", folder / "router", tmp_path / "a.npz")
    assert found["next_model"] == [model for model, _ in expected]


def test_arrays_in_another_order(folder: Path, tmp_path: Path) -> None:
    queries, _, _ = asked()
    path = write_queries(tmp_path / "a.npz", queries, models=MODELS)
    assert queries.signals is not None
    other = tmp_path / "b.npz"
    save_arrays(
        other,
        features=queries.features,
        signals=queries.signals[:, ::-1],
        groups=queries.groups,
        models=MODELS[::-1],
    )
    assert printed("select", folder / "router", path) == printed("select", folder / "router", other)


def test_bench(monkeypatch: pytest.MonkeyPatch) -> None:
    found = printed("bench", "--models", "3,14", "--queries", 40, "--backend", "auto,reference")
    fast = next(name for name, why in hr.backends().items() if why is None)
    rows = [(row["models"], row["backend"], row["queries"]) for row in found["timings"]]
    assert rows == [(3, fast, 40), (3, "reference", 40), (14, fast, 40), (14, "reference", 0)]
    speeds = [row["decisions_per_second"] for row in found["timings"]]
    assert min(speeds[:3]) > 0.0
    assert speeds[3] is None
    lines = run("bench", "--models", 2, "--queries", 5, "--strategy", "routing,index").stdout
    assert [line.split()[:2] for line in lines.splitlines()[4:]] == [
        ["routing", "2"],
        ["index", "2"],
    ]

    def wrong(*arguments: Any, **options: Any) -> hr.Selection:
        found = hr.batch_select(*arguments, **options)
        if options["backend"] == "reference":
            found.quality[3] += 1e-15
        return found

    monkeypatch.setattr("headrace._bench.batch_select", wrong)
    with pytest.raises(DisagreementError, match="differ in quality, first at query 3"):
        measure(3, "index", [fast, "reference"], n_queries=9)
    line = error("bench", "--models", 3, "--queries", 9, exit_code=1)
    assert "'reference' differ in quality" in line


# Faults

FIT = ["fit", "LOG", "--output", "new", "--budget", "0.5"]
SELECT = ["select", "router", "QUERIES"]
BAD: list[tuple[list[str], str]] = [
    (["race"], "No such command 'race'"),
    (["--quick"], "No such option '--quick'"),
    (["fit", "log.csv"], "Missing option '--output'"),
    (FIT[:-2], "give just one of --budget, --quality and --lambda"),
    ([*FIT, "--lambda", "1"], "give just one of"),
    ([*FIT, "--budget", "-1"], "'-1' is below 0"),
    ([*FIT, "--quality", "nan"], "'nan' is not a finite number"),
    ([*FIT, "--quality", "high"], "'high' is not a finite number"),
    ([*FIT, "--max-depth", "0"], "'0' is not an integer of at least 1"),
    ([*FIT, "--output", "no/such"], "'no' is not a directory"),
    ([*FIT, "--output", "/dev/null"], "'/dev/null' is not a file"),
    ([*FIT, "--output", "."], "'.' is not a file"),
    ([*FIT, "--strategy", "index", "--max-depth", "2"], "must not be combined with max_depth"),
    ([*FIT, "--estimator", "binary", "--calibration", "linear"], "is for --estimator gaussian"),
    ([*FIT, "--cost-column", "price"], "'price' does not have '{model}' in it"),
    (["frontier", "LOG", "--strategies", "routing,best"], "'best' is none of routing, cascade"),
    (["frontier", "LOG", "--strategies", "index,index"], "names something twice"),
    (["frontier", "LOG", "--plot", "a.doc"], "'a.doc' does not end in .png"),
    (["frontier", "LOG", "--test", "log.csv", "--share", "0.5"], "exclude each other"),
    (["frontier", "LOG", "--budgets", "1", "--n-budgets", "5"], "exclude each other"),
    (["frontier", "LOG", "--max-depth", "2"], "'index' explores cheap models first and must not"),
    (["select", "router", "log.csv", "--output", "a.txt"], "'a.txt' does not end in .csv"),
    (["bench", "--models", "5000"], "'5000' is more than 4096"),
    (["bench", "--backend", "abacus"], "'abacus' is none of auto, cpp"),
    (["fit", "none.csv"], "File 'none.csv' does not exist"),
    (["fit", "router", *FIT[2:]], "router: the name must end in one of ['.csv', '.parquet', '.npz"),
    (["fit", "cut.csv", *FIT[2:]], "cut.csv: CSV parse error"),
    (["fit", "cut.parquet", *FIT[2:]], "cut.parquet: Parquet magic bytes not found"),
    (["fit", "cut.npz", *FIT[2:]], "cut.npz: this is not an NPZ file"),
    (["fit", "log.csv", *FIT[2:], "--budget", "50"], "budget 50 cannot be met: on this log the"),
    (
        ["fit", "log.csv", *FIT[2:], "--cost-column", "{model}|usd"],
        "has a column of quality, but none of cost",
    ),
    (["fit", "log.csv", *FIT[2:], "--group-column", "tenant"], "log.csv: there is no column 'ten"),
    (["fit", "log.csv", *FIT[2:], "--feature-column", "text"], 'must hold numbers, got \'"0",'),
    (["fit", "log.npz", *FIT[2:], "--group-column", "x"], "an NPZ file has no columns"),
    (["evaluate", "cut", "log.csv"], "'cut' is not a saved router that can be read: the file is"),
    (["evaluate", "log.npz", "log.csv"], "'log.npz' is not a saved router that can be read"),
    (["select", "cut", "log.csv"], "'cut' is not a saved router that can be read"),
    (["select", "router", "cut.npz"], "cut.npz: this is not an NPZ file"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_input(
    arguments: list[str], message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)

    def early(*_: Any) -> None:
        raise AssertionError("options are checked before any work")

    if "LOG" in arguments:
        arguments = ["log.csv" if argument == "LOG" else argument for argument in arguments]
        for place in ("fit", "frontier"):
            monkeypatch.setattr(f"headrace._cli.{place}.read_log", early)
    before = sorted(os.listdir())
    assert message in error(*arguments)
    assert sorted(os.listdir()) == before


KNOWN: dict[str, Any] = {"feature|a": [0.1, 0.2], "feature|b": [0.3, 0.4], "group": ["b", "b"]}
FLAGGED = {"features": np.zeros((2, 2)), "groups": ["b", "b"]}
BAD_QUERIES: list[tuple[str, dict[str, Any], str]] = [
    ("a.csv", {**KNOWN, "tiny|signal": [1.0, 2.0]}, "unknown model 'tiny': the router has ['small"),
    ("a.csv", {**KNOWN, "tiny|ran": [0, 0]}, "unknown model 'tiny'"),
    ("a.csv", {**KNOWN, "small|ran": [0, 2]}, "must hold 0 and 1, got 2 in row 1"),
    ("a.csv", {**KNOWN, "small|ran": [0, 1]}, "fitted on 1 signals a model, got queries with 0"),
    ("a.csv", {**KNOWN, "small|ran": [0, 1], "huge|signal": [1, 1]}, "signals of query 0 are NaN"),
    ("a.csv", {**KNOWN, "feature|a": [0.1, None]}, "features must be finite, got nan at index (1"),
    ("a.csv", {"feature|a": [0.1, 0.2]}, "was fitted on 2 features, got queries with 1"),
    ("a.csv", {name: [] for name in KNOWN}, "there are no queries"),
    ("a.npz", {**FLAGGED, "feature": [1]}, "unknown array 'feature': there may be quality, cost"),
    ("a.npz", {**FLAGGED, "ran": np.zeros((2, 2))}, "ran must have shape (2, 3), got (2, 2)"),
    ("a.npz", {**FLAGGED, "signals": np.zeros(2)}, "signals must have shape (2, 3) or (2, 3, 'm')"),
    ("a.npz", {**FLAGGED, "dearer": [0, 1, 0]}, "dearer must have shape (2,), got (3,)"),
    ("a.npz", {**FLAGGED, "models": ["small", "small"]}, "models must be different ones"),
    ("a.npz", {**FLAGGED, "models": ["tiny"]}, "unknown model 'tiny'"),
    ("a.npz", {"models": ["small"]}, "there must be an array features, signals, groups or ran"),
    ("a.npz", {"features": np.array([{}])}, "this is not an NPZ file of numbers and texts: Obj"),
]


@pytest.mark.parametrize(("name", "given", "message"), BAD_QUERIES)
def test_bad_queries(
    name: str, given: dict[str, Any], message: str, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / name
    if path.suffix == ".npz":
        save_arrays(path, **given)
    else:
        write_columns(path, given)
    line = error("select", folder / "router", path, "--output", tmp_path / "new.csv")
    assert message in line
    assert str(path) in line
    assert os.listdir(tmp_path) == [name]


def test_npz_files_that_cannot_be_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "log.npz"
    arguments = ("fit", path, *FIT[2:3], tmp_path / "new", *FIT[4:])
    save_arrays(path, quality=np.zeros((2, 2)), cost=np.ones(2))
    whole = path.read_bytes()
    entry = whole.index(b"PK\x01\x02") + 8  # of the directory, its flags
    path.write_bytes(whole[:entry] + b"\x01" + whole[entry + 1 :])  # encrypted, it says
    assert "log.npz: this is not an NPZ file" in error(*arguments)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("quality.npy", np.random.default_rng(0).bytes(1000))
    packed = path.read_bytes()
    path.write_bytes(packed[:60] + bytes([255] * 100) + packed[160:])
    assert "log.npz: this is not an NPZ file" in error(*arguments)
    with zipfile.ZipFile(path, "w") as file:
        header = io.BytesIO()
        shape = {"descr": "<f8", "fortran_order": False, "shape": (10**11, 10**3)}
        np.lib.format.write_array_header_1_0(header, shape)
        file.writestr("quality.npy", header.getvalue())
    assert "log.npz: this is not an NPZ file" in error(*arguments)
    save_arrays(path, quality=np.zeros((2, 2)), cost=np.ones(2), models=np.array("a"))
    assert "models must have shape (k,), got ()" in error(*arguments)


def test_some_signals_of_a_model_are_not_all(folder: Path, tmp_path: Path) -> None:
    path = write_columns(
        tmp_path / "a.csv",
        {**KNOWN, "small|signal": [0.5, 0.5], "small|sure": [0.1, None]},
    )
    columns = ["--signal-column", "{model}|signal", "--signal-column", "{model}|sure"]
    line = error("select", folder / "router", path, *columns)
    assert "'small' has some of its signals in row 1, but not all" in line
    columns[-1] = "{model}|surely"
    assert "no column fits the template" in error("select", folder / "router", path, *columns)


@pytest.mark.parametrize("ending", ["", ".csv", ".parquet", ".npz", ".png"])
def test_what_cannot_be_written_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / f"old{ending}"
    path.write_bytes(b"before")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    commands: dict[str, list[Any]] = {
        "": ["fit", folder / "log.npz", "--budget", 0.5, "--output", path],
        ".png": ["frontier", folder / "log.npz", "--strategies", "routing", "--n-budgets", 2,
                 "--plot", path],
    }  # fmt: skip
    command = commands.get(ending, ["select", folder / "router", folder / "log.csv", "--output",
                                    path])  # fmt: skip
    line = error(*command, exit_code=1)
    assert line == f"headrace: error: {path} could not be written: No space left on device\n"
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == [path.name]


def test_interrupted(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(hr.Router, "fit", interrupt)
    result = run("fit", folder / "log.npz", "--budget", 0.5, "--output", tmp_path / "new")
    assert (result.exit_code, result.output) == (130, "")
    assert os.listdir(tmp_path) == []


def test_help_names_all_commands_and_their_options() -> None:
    told = run("--help").stdout
    for name, line in COMMANDS.items():
        assert f"{name} " in told
        assert line in told
        assert "--help" in run(name, "--help").stdout
    assert "Exit codes: 0 " in told
    assert run("--version").stdout == f"headrace {hr.__version__}\n"


# Processes of their own

WITHOUT = """
import sys
import zipfile
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")
sys.meta_path.insert(0, Blocked())
from headrace.__main__ import main
main({arguments!r})
"""


def spawn(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def without(missing: Sequence[str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that cannot import some packages."""
    given = [str(argument) for argument in arguments]
    return spawn("-c", WITHOUT.format(missing=list(missing), arguments=given))


def test_missing_click() -> None:
    done = without(["click"], "--help")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "headrace: error: the command line needs click (No module named 'click'): "
        'pip install "headrace[cli]"\n'
    )


def test_missing_extras(folder: Path) -> None:
    log, router = folder / "log.csv", folder / "router"
    for missing, arguments in (
        ("pyarrow", ["evaluate", router, log]),
        ("narwhals", ["select", router, log]),
        ("matplotlib", ["frontier", log, "--plot", folder / "a.png"]),
        ("tqdm", ["bench", "--models", "2"]),
    ):
        done = without([missing], *arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert "pip install" in done.stderr


def test_arrays_need_click_alone(folder: Path, router: hr.Router, log: hr.QueryLog) -> None:
    missing = ["pyarrow", "narwhals", "matplotlib", "tqdm", "pandas", "scipy", "numba"]
    done = without(missing, "evaluate", folder / "router", folder / "log.npz")
    assert done.stderr == ""
    assert done.stdout == f"{router.evaluate(log)}\n"


def test_from_a_shell(folder: Path, tmp_path: Path) -> None:
    saved, chosen = tmp_path / "a.headrace", tmp_path / "a.csv"
    for arguments in (
        ["fit", folder / "log.csv", "--budget", "0.5", "--output", saved],
        ["select", saved, folder / "log.npz", "--output", chosen],
    ):
        done = spawn("-m", "headrace", *map(str, arguments))
        assert (done.returncode, done.stderr) == (0, ""), "no progress where nobody looks"
    assert saved.read_bytes() == (folder / "router").read_bytes()
    assert len(chosen.read_text(encoding="utf-8").splitlines()) == 161
    done = spawn("-m", "headrace")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: python -m headrace [OPTIONS] COMMAND")


def test_help_imports_no_command() -> None:
    done = spawn(
        "-c",
        "import sys\n"
        "from headrace.__main__ import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "assert 'headrace._cli.main' in sys.modules\n"
        "print([name for name in sys.modules if name.startswith('headrace._cli.fit')])\n",
    )
    assert done.stdout.endswith("[]\n"), done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_full_standard_output(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "headrace", "select", folder / "router", folder / "log.npz"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "headrace: error: the standard output could not be written: No space left on device\n"
    )


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_interrupted_at_work() -> None:
    started = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from headrace._cli import bench, main\n"
        "def measure(*_, **__):\n"
        "    print('at work', flush=True)\n"
        "    signal.pause()\n"
        "bench.measure = measure\n"
        "main.cli.main(['bench'])\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", started], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
    assert (process.returncode, rest, errors) == (130, "", "")
