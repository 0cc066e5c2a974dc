"""Tables of three libraries and RouterBench's files give the log that was written into them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

NAMES = ("id", "task", "a/x", "b", "a/x|cost", "b|cost", "a/x|ms", "b|ms", "length")
COLUMNS: dict[str, list[Any]] = {
    "id": ["q0", "q1", "q2"],
    "task": ["math", "code", "math"],
    "a/x": [0.5, None, 1.0],
    "b": [1, 0, 1],
    "a/x|cost": [0.1, None, 0.3],
    "b|cost": [1, 2, 3],
    "a/x|ms": [10.0, None, 30.0],
    "b|ms": [100, 200, 300],
    "length": [7, 8, 9],
}
MAKERS = {
    "pandas": pd.DataFrame,
    "pandas nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "mapping": dict,
}
TEMPLATES: dict[str, Any] = {"quality": "{model}", "cost": "{model}|cost"}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_from_table(make: Any) -> None:
    log = hr.QueryLog.from_table(
        make(COLUMNS),
        **TEMPLATES,
        latency="{model}|ms",
        first_token_latency="{model}|cost",
        features=["length", "b|cost"],
        signals=["{model}|ms", "{model}|cost"],
        groups="task",
    )
    nan = float("nan")
    assert log.models == ("a/x", "b")
    np.testing.assert_array_equal(log.quality, [[0.5, 1], [nan, 0], [1, 1]])
    np.testing.assert_array_equal(log.cost, [[0.1, 1], [nan, 2], [0.3, 3]])
    np.testing.assert_array_equal(log.latency, [[10, 100], [nan, 200], [30, 300]])
    np.testing.assert_array_equal(log.first_token_latency, log.cost)
    known = log.queries
    np.testing.assert_array_equal(known.features, [[7, 1], [8, 2], [9, 3]])
    assert known.signals is not None
    np.testing.assert_array_equal(known.signals[:, :, 0], log.latency)
    np.testing.assert_array_equal(known.signals[:, :, 1], log.cost)
    assert known.groups is not None
    assert known.groups.tolist() == COLUMNS["task"]


def test_mappings_name_and_order_the_models() -> None:
    log = hr.QueryLog.from_table(
        pl.DataFrame(COLUMNS),
        quality={"big": "b", "small": "a/x"},
        cost={"big": "b|cost", "small": "a/x|cost"},
        signals={"big": ["b|ms"], "small": "a/x|ms"},
    )
    assert log.models == ("big", "small")
    assert log.cost[2].tolist() == [3.0, 0.3]
    mixed = hr.QueryLog.from_table(COLUMNS, quality={"b": "b"}, cost="{model}|cost")
    assert mixed.models == ("b",)


BAD: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("no cost", {"cost": "{model}|price"}, ValueError, "no column fits the template .* of cost"),
    ("any column", {"cost": "{model}"}, ValueError, "any column fits: name the models"),
    ("no template", {"cost": "cost"}, ValueError, "template with one '{model}', got 'cost'"),
    ("no twin", {"quality": "{model}|q"}, ValueError, "no column fits the template"),
    ("model lacks", {"latency": {"b": "b|ms"}}, ValueError, "there is no column"),
    (
        "unequal",
        {"quality": {"b": "b", "a/x": "a/x"}, "cost": {"b": "b|cost"}},
        ValueError,
        "model 'a/x' has a column of quality, but none of cost",
    ),
    ("lists differ", {"signals": {"b": ["b"], "a/x": []}}, ValueError, "as many columns"),
    ("unknown feature", {"features": ["size"]}, ValueError, r"no column 'size' \(a feature\)"),
    ("one feature", {"features": "length"}, TypeError, "got the name 'length'"),
    ("texts", {"features": ["id"]}, ValueError, "must hold numbers, got 'q0' in row 0"),
    ("groups", {"groups": "tasks"}, ValueError, r"no column 'tasks' \(groups\)"),
]


@pytest.mark.parametrize(("change", "error", "message"), [row[1:] for row in BAD],
                         ids=[row[0] for row in BAD])  # fmt: skip
def test_bad_columns(change: dict[str, Any], error: type[Exception], message: str) -> None:
    if "latency" in change:
        change = change | {"quality": {"b": "q"}, "cost": {"b": "b|cost"}}
    with pytest.raises(error, match=message):
        hr.QueryLog.from_table(pd.DataFrame(COLUMNS), **TEMPLATES | change)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_labels_stay_what_they_are(make: Any) -> None:
    columns = {**COLUMNS, "large": [2**53, 2**53 + 1, 2**53], "flag": [True, False, True]}
    for name in ("large", "flag"):
        log = hr.QueryLog.from_table(make(columns), **TEMPLATES, groups=name)
        assert log.queries.groups is not None
        assert log.queries.groups.tolist() == columns[name]


def test_what_is_no_table() -> None:
    for what in (np.zeros((2, 2)), pl.LazyFrame(COLUMNS), [1, 2], "log.csv"):
        with pytest.raises(TypeError, match=f"or a mapping of columns, got {type(what).__name__}"):
            hr.QueryLog.from_table(what, **TEMPLATES)


def test_missing_labels_are_refused() -> None:
    for frame in (pd.DataFrame(COLUMNS), pl.DataFrame(COLUMNS)):
        with pytest.raises(ValueError, match=r"'a/x' \(groups\) has no entry in row 1"):
            hr.QueryLog.from_table(frame, **TEMPLATES, groups="a/x")


def routerbench() -> pd.DataFrame:
    """Return a table in RouterBench's layout, with texts that are hard to read."""
    return pd.DataFrame(
        {
            "sample_id": ["mmlu.1", "mmlu.2", "mbpp.1"],
            "prompt": ["['a, \"b\"\n']", "ß", ""],
            "eval_name": ["mmlu", "mmlu", "mbpp"],
            "lab/one": [0.0, 1.0, 0.25],
            "two": [1, 1, 0],
            "lab/one|model_response": ["line\nline", '"quoted", twice', None],
            "two|model_response": ["a", "b", "c"],
            "lab/one|total_cost": [1e-5, 2e-5, 3e-5],
            "two|total_cost": [1e-3, 2e-3, 3e-3],
            "oracle_model_to_route_to": ["two", "lab/one", "no_model_correct"],
        }
    )


def assert_is_routerbench(log: hr.QueryLog) -> None:
    assert log.models == ("lab/one", "two")
    assert log.quality.tolist() == [[0.0, 1.0], [1.0, 1.0], [0.25, 0.0]]
    assert log.cost.tolist() == [[1e-5, 1e-3], [2e-5, 2e-3], [3e-5, 3e-3]]
    assert log.queries.groups is not None
    assert log.queries.groups.tolist() == ["mmlu", "mmlu", "mbpp"]


def objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame as pandas 2 holds it, and RouterBench: texts and qualities as objects."""
    texts = [name for name in frame if not name.endswith("total_cost")]
    frame = frame.astype(dict.fromkeys(texts, object))
    frame.columns = frame.columns.astype(object)
    return frame


def test_csv_and_parquet(tmp_path: Path) -> None:
    routerbench().to_csv(tmp_path / "log.csv", index=False)
    assert_is_routerbench(hr.QueryLog.from_routerbench(tmp_path / "log.csv"))
    pyarrow.parquet.write_table(pa.Table.from_pandas(routerbench()), tmp_path / "log.parquet")
    assert_is_routerbench(hr.QueryLog.from_routerbench(str(tmp_path / "log.parquet")))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("texts", ["arrow", "python", "objects"])
def test_pickle(tmp_path: Path, protocol: int, texts: str) -> None:
    path = tmp_path / "log.pkl"
    with pd.option_context("mode.string_storage", "python" if texts == "python" else "pyarrow"):
        frame = routerbench()
    if texts == "objects":
        frame = objects(frame)
    frame.to_pickle(path, protocol=protocol)
    assert_is_routerbench(hr.QueryLog.from_routerbench(path))
    frame.iloc[::-1].iloc[::-1].to_pickle(path, protocol=protocol)
    assert_is_routerbench(hr.QueryLog.from_routerbench(path))


def test_pickle_without_quality_or_of_numpy_numbers(tmp_path: Path) -> None:
    frame = objects(routerbench())
    frame["two"] = np.array([None, np.float64(1.0), "0.5"], dtype=object)
    frame.to_pickle(tmp_path / "log.pkl")
    log = hr.QueryLog.from_routerbench(tmp_path / "log.pkl")
    np.testing.assert_array_equal(log.quality[:, 1], [float("nan"), 1.0, 0.5])
    frame["two"] = ["good", "bad", "bad"]
    frame.to_pickle(tmp_path / "log.pkl")
    with pytest.raises(ValueError, match=r"column 'two' .* must hold numbers, got 'good' in row 0"):
        hr.QueryLog.from_routerbench(tmp_path / "log.pkl")


class Hostile:
    """Pickles as a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_hostile_pickle_is_refused_before_it_runs(tmp_path: Path, protocol: int) -> None:
    path, trace = tmp_path / "log.pkl", tmp_path / "trace"
    calls: dict[str, tuple[Any, ...]] = {
        "system": (os.system, f"touch {trace}"),
        "open": (open, str(trace), "w"),
        "exec": (exec, f"open({str(trace)!r}, 'w')"),
        "__import__": (__import__, "this"),
        "getattr": (getattr, "", "join"),
        "read_csv": (pd.read_csv, str(trace)),
        "fromfile": (np.fromfile, str(trace)),
    }
    for name, call in calls.items():
        path.write_bytes(pickle.dumps({"_mgr": Hostile(*call)}, protocol=protocol))
        with pytest.raises(ValueError, match=rf"names \S+\.{name}, which .*read_pickle"):
            hr.QueryLog.from_routerbench(path)
        frame = objects(routerbench())
        frame.loc[0, "prompt"] = Hostile(*call)
        path.write_bytes(pickle.dumps(frame, protocol=max(protocol, 2)))
        with pytest.raises(ValueError, match=rf"names \S+\.{name}, which"):
            hr.QueryLog.from_routerbench(path)
    assert not trace.exists()


def test_a_pickle_cannot_change_the_process(tmp_path: Path) -> None:
    path = tmp_path / "log.pkl"
    before = dict(vars(pd.DataFrame)), dict(vars(np.ndarray))
    # BUILD on a class, as if it were an object: would set attributes of the class itself.
    for name in (b"cpandas\nDataFrame\n", b"cnumpy\nndarray\n", b"cpandas\nIndex\n"):
        path.write_bytes(b"\x80\x02" + name + b"N}U\x05shapeK\x01s\x86b.")
        with pytest.raises(ValueError, match="broken, or its layout is not known"):
            hr.QueryLog.from_routerbench(path)
    assert before == (dict(vars(pd.DataFrame)), dict(vars(np.ndarray)))


def test_pickles_that_are_broken_or_hold_something_else(tmp_path: Path) -> None:
    path = tmp_path / "log.pkl"
    whole = pickle.dumps(objects(routerbench()), protocol=4)
    for end in (*range(0, len(whole) - 1, 97), len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="broken"):
            hr.QueryLog.from_routerbench(path)
    rng = np.random.default_rng(0)
    for _ in range(300):  # flipped bytes: a log, or an error that says so
        spoiled = bytearray(whole)
        spoiled[rng.integers(len(whole))] = rng.integers(256)
        path.write_bytes(spoiled)
        with suppress(ValueError, TypeError):
            hr.QueryLog.from_routerbench(path)
    for what in ([1, 2], routerbench()["two"], pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])})):
        path.write_bytes(pickle.dumps(what))
        with pytest.raises(ValueError, match="pickle"):
            hr.QueryLog.from_routerbench(path)


def test_files_of_another_layout(tmp_path: Path) -> None:
    routerbench().drop(columns="two").to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(ValueError, match=r"no column 'two' \(quality of 'two'\)"):
        hr.QueryLog.from_routerbench(tmp_path / "log.csv")
    pd.DataFrame({"two": [1.0]}).to_csv(tmp_path / "log.csv", index=False)
    with pytest.raises(ValueError, match="no column fits the template"):
        hr.QueryLog.from_routerbench(tmp_path / "log.csv")
    with pytest.raises(ValueError, match=r"must end in one of .*'\.csv'.*got 'log\.xlsx'"):
        hr.QueryLog.from_routerbench("log.xlsx")
    with pytest.raises(FileNotFoundError):
        hr.QueryLog.from_routerbench(tmp_path / "none.pkl")


def test_importing_headrace_imports_no_table_library() -> None:
    program = (
        "import sys, headrace; "
        "heavy = {'pandas', 'polars', 'pyarrow', 'narwhals', 'scipy', 'sklearn'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_no_column_may_hold() -> None:
    numbers = np.ma.array([0.0, 1.0], mask=[False, True])
    with pytest.raises(ValueError, match=r"column 'a' has a masked entry at index \(1,\)"):
        hr.QueryLog.from_table({"a": numbers, "a|cost": [1, 1]}, **TEMPLATES)
    groups = pd.DataFrame({"a": [0, 1], "a|cost": [1, 1], "g": ["x", pd.NA]})
    with pytest.raises(ValueError, match=r"column 'g' \(groups\) has no entry in row 1"):
        hr.QueryLog.from_table(groups, **TEMPLATES, groups="g")
    with pytest.raises(ValueError, match="groups has no label at index 1"):
        hr.QueryLog([[0.0], [1.0]], [1.0], groups=groups["g"])
    for text in ("1_000", 10**400):
        with pytest.raises(ValueError, match="must hold numbers"):
            hr.QueryLog.from_table({"a": [text, "1"], "a|cost": [1, 1]}, **TEMPLATES)
    log = hr.QueryLog.from_table({"a": [0, 1], "a|cost": [1, 1]}, **TEMPLATES, features=[])
    assert log.queries.features is None
