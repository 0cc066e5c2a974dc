"""Saved routers: what is loaded decides as what was saved; nothing else is loaded, or executed."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import headrace as hr
import numpy as np
import pytest
from headrace._tensor_file import read_tensor_file, write_tensor_file
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from routers import Blend, make_log
from test_estimators import simulated

ESTIMATORS: dict[str, Any] = {
    "gaussian": lambda log: hr.GaussianEstimator(own_features=np.arange(4)),
    "logistic": lambda log: hr.GaussianEstimator(calibration="logistic", shrinkage=0.2),
    "binary": lambda log: hr.BinaryEstimator(n_classes=2),
    "binary logistic": lambda log: hr.BinaryEstimator(n_classes=1, signal_model="logistic"),
    "precomputed": lambda log: hr.PrecomputedEstimator(
        log.quality * 0.5, log.cost, sigmas=np.full(4, 0.3), post=log.quality
    ),
}


def router_of(kind: str, groups: int = 3, **options: Any) -> tuple[hr.Router, hr.QueryLog]:
    log = simulated(120, 4, 3, d=1, groups=groups, own=True)
    router = hr.Router(ESTIMATORS[kind](log), n_threads=1, n_samples=32, **options)
    return router.fit(log, budget=float(log.cost.mean())), log


def saved(tmp_path: Path, kind: str = "gaussian", **options: Any) -> Path:
    path = tmp_path / "a.headrace"
    router_of(kind, **options)[0].save(path)
    return path


def assert_decide_alike(one: hr.Router, other: hr.Router, log: hr.QueryLog) -> None:
    ran = np.random.default_rng(0).random(log.quality.shape) < 0.4
    dearer = np.random.default_rng(1).random(log.n_queries) < 0.5
    first, second = (each.select(log.queries, ran, dearer=dearer) for each in (one, other))
    for name in ("next_model", "supermodel", "tradeoff", "quality", "cost"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name), name)
    ran[:, 0] = True
    np.testing.assert_array_equal(one.answer(log.queries, ran), other.answer(log.queries, ran))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("groups", [0, 3])
def test_a_loaded_router_decides_alike(tmp_path: Path, kind: str, groups: int) -> None:
    router, log = router_of(kind, groups, max_depth=3, lookahead=0.5)
    router.save(tmp_path / "a")
    loaded = hr.load_router(tmp_path / "a")
    assert_decide_alike(router, loaded, log)
    for name in ("lambda_", "lambdas_", "gamma_", "lookahead_", "step_factors_", "models_"):
        assert getattr(loaded, name) == getattr(router, name)
    ours, theirs = router.get_params(deep=False), loaded.get_params(deep=False)
    assert {name: ours[name] for name in ours if name != "estimator"} == {
        name: theirs[name] for name in theirs if name != "estimator"
    }
    if kind != "precomputed":
        mine, its = router.estimator_, loaded.estimator_
        for name, value in mine.get_params().items():  # type: ignore[attr-defined]
            np.testing.assert_array_equal(its.get_params()[name], value)  # type: ignore[attr-defined]
    loaded.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("strategy", ["routing", "threshold_cascade", "cascade", "index"])
@pytest.mark.parametrize("per_step", [False, True])
def test_every_strategy(tmp_path: Path, strategy: str, per_step: bool) -> None:
    router, log = router_of("gaussian", strategy=strategy, per_step=per_step)
    router.save(tmp_path / "a")
    assert_decide_alike(router, hr.load_router(tmp_path / "a"), log)


def test_noise_and_fixed_prices(tmp_path: Path) -> None:
    log = hr.add_noise(hr.QueryLog(np.eye(30, 3), [1e-4, 1e-3, 2e-3]), "low")
    for fuse in (False, True):
        router = hr.Router(hr.NoisyEstimator(fuse=fuse), lambda_=40.0, seed=7).fit(log)
        router.save(tmp_path / "a")
        loaded = hr.load_router(tmp_path / "a")
        assert_decide_alike(router, loaded, log)
        refitted = loaded.fit(log)
        assert_decide_alike(router, refitted, log)


def test_labels_of_groups_are_texts_or_numbers(tmp_path: Path) -> None:
    base = simulated(60, 3, groups=2)
    for labels in (["ä", "b"] * 30, [3, -1] * 30, [0.5, 2.5] * 30, [True, False] * 30):
        log = hr.QueryLog(base.quality, base.cost, signals=base.queries.signals, groups=labels)
        router = hr.Router(hr.GaussianEstimator(), strategy="index").fit(log, budget=2.0)
        router.save(tmp_path / "a")
        assert_decide_alike(router, hr.load_router(tmp_path / "a"), log)
    log = hr.QueryLog(base.quality, base.cost, groups=np.array([b"a", b"b"] * 30))
    router = hr.Router(hr.GaussianEstimator(), strategy="index").fit(log, budget=2.0)
    before = (tmp_path / "a").read_bytes()
    with pytest.raises(ValueError, match=r"labels of groups of dtype .S1 cannot be saved"):
        router.save(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == before


class Scaled(Blend):
    """An estimator of a user's, with something to save."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = np.ones(3)

    def fit(self, log: hr.QueryLog) -> Scaled:
        self.scale = log.quality.mean(axis=0)
        return self

    def estimate(self, queries: hr.Queries, ran: Any) -> hr.Estimates:
        found = super().estimate(queries, ran)
        return hr.Estimates(found.qualities * self.scale, found.costs, found.sigmas)

    def get_state(self) -> dict[str, Any]:
        return {"scale": self.scale, "kind": "mean"}

    def set_state(self, state: dict[str, Any]) -> None:
        if state["kind"] != "mean" or state["scale"].shape != (3,):
            raise ValueError("this is another kind")
        self.scale = state["scale"]


def test_an_estimator_of_your_own(tmp_path: Path) -> None:
    log = make_log(40, 3, 5)
    router = hr.Router(Scaled(), strategy="routing").fit(log, budget=0.6)
    router.save(tmp_path / "a")
    assert isinstance(Scaled(), hr.SavableEstimator)
    assert_decide_alike(router, hr.load_router(tmp_path / "a", estimator=Scaled()), log)
    with pytest.raises(ValueError, match="its estimator is a Scaled of your own"):
        hr.load_router(tmp_path / "a")
    with pytest.raises(ValueError, match="its estimator is a Scaled of your own"):
        hr.load_router(tmp_path / "a", estimator=Blend())
    with pytest.raises(ValueError, match="is a GaussianEstimator of the package"):
        hr.load_router(saved(tmp_path), estimator=Scaled())
    with pytest.raises(ValueError, match="Blend cannot be saved"):
        hr.Router(Blend(), strategy="routing").fit(log, budget=0.6).save(tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_what_cannot_be_saved_says_so(tmp_path: Path) -> None:
    ridge = pytest.importorskip("sklearn.linear_model").Ridge()
    with pytest.raises(ValueError, match="not fitted yet"):
        hr.Router(hr.GaussianEstimator()).save(tmp_path / "a")
    log = simulated(60, 3, d=2)
    router = hr.Router(hr.GaussianEstimator(ridge), strategy="index").fit(log, budget=2.0)
    with pytest.raises(ValueError, match=r"estimator.regressor is Ridge\(\), which a file cannot"):
        router.save(tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_a_failed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: Any) -> None:
    router, _ = router_of("gaussian")
    path = tmp_path / "a"
    path.write_bytes(b"before")
    path.chmod(0o640)

    def full(*_: Any) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space left"):
            router.save(path)
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["a"]
    router.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(OSError, match="nowhere"):
        router.save(tmp_path / "nowhere" / "a")


# Files that are none


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"is not a saved router.*(is cut|another kind)"):
            hr.load_router(path)
    path.write_bytes(content + b"\0")
    with pytest.raises(ValueError, match="longer than it should be"):
        hr.load_router(path)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(content), 400).tolist():
        damaged = content.copy()
        damaged[place] ^= 1 << int(rng.integers(0, 8))
        if bytes(damaged).split() == bytes(content).split():
            continue  # the spaces that fill the header up
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a saved router"):
            hr.load_router(path)


def test_a_newer_file_says_so(tmp_path: Path) -> None:
    path = saved(tmp_path)
    arrays, texts = read_tensor_file(path)
    for version, message in (("2", "newer headrace, in format 2.*upgrade"), ("x", "no version")):
        write_tensor_file(path, arrays, {**texts, "format": version})
        with pytest.raises(ValueError, match=message):
            hr.load_router(path)
    write_tensor_file(path, arrays, {**texts, "kind": "weights"})
    with pytest.raises(ValueError, match="not those of a router"):
        hr.load_router(path)
    with pytest.raises(FileNotFoundError):
        hr.load_router(tmp_path / "nowhere")


HEADERS = {
    "no JSON": b"{nonsense",
    "deep": b'{"a":' * 100_000,
    "a list": b"[1]",
    "twice": b'{"a":1,"a":1}',
    "no entry": b'{"a":1}',
    "unknown type": b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}',
    "no type": b'{"a":{"dtype":[],"shape":[1],"data_offsets":[0,2]}}',
    "huge": b'{"a":{"dtype":"F64","shape":[4000000000,4000000000],"data_offsets":[0,8]}}',
    "negative": b'{"a":{"dtype":"F64","shape":[-1],"data_offsets":[8,0]}}',
    "outside": b'{"a":{"dtype":"F64","shape":[100],"data_offsets":[0,800]}}',
    "a gap": b'{"a":{"dtype":"F64","shape":[0],"data_offsets":[8,8]}}',
    "overlap": b'{"a":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]},'
    b'"b":{"dtype":"BOOL","shape":[8],"data_offsets":[0,8]}}',
    "texts": b'{"__metadata__":{"a":1}}',
    "no texts": b'{"__metadata__":[]}',
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_hostile_header_is_refused(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ValueError, match="is not a saved router"):
        hr.load_router(path)
    path.write_bytes((2**63 - 1).to_bytes(8, "little") + header)
    with pytest.raises(ValueError, match="is not a saved router"):
        hr.load_router(path)


@pytest.mark.parametrize("kind", ["logistic", "binary", "precomputed"])
def test_each_part_is_needed_and_checked(tmp_path: Path, kind: str) -> None:
    path = saved(tmp_path, kind)
    arrays, texts = read_tensor_file(path)
    values = json.loads(texts["values"])
    of_any_length = ("estimator.groups_.labels", "fit.step_factors")

    def refused(arrays: Any, values: Any) -> None:
        write_tensor_file(path, arrays, {**texts, "values": json.dumps(values)})
        with pytest.raises(ValueError, match="is not a saved router"):
            hr.load_router(path)

    for name, array in arrays.items():
        refused({key: value for key, value in arrays.items() if key != name}, values)
        refused({**arrays, name: array[..., None]}, values)
        if kind != "precomputed" and array.size and name not in of_any_length:
            refused({**arrays, name: np.concatenate([array, array[:1]])}, values)
            other = array.astype(np.int64 if array.dtype.kind == "f" else np.float64)
            refused({**arrays, name: other}, values)
    for name in values:
        refused(arrays, {key: value for key, value in values.items() if key != name})
        refused(arrays, {**values, name: {}})
        refused(arrays, {**values, name: [name]})
    refused({**arrays, "more": np.zeros(2)}, values)
    refused(arrays, {**values, "more": 1})
    for name, wrong in (
        ("fit.mixture.gamma", 1.5),
        ("fit.mixture.cheap.price", 10**400),
        ("fit.mixture.cheap.price", -1.0),
        ("fit.mixture.dear.price", 1e308),
        ("fit.mixture.dear.ties", "none"),
        ("fit.lookahead", -1.0),
        ("router.strategy", "guess"),
        ("router.backend", "abacus"),
        ("estimator", "Exception"),
        ("estimator", "os.system"),
    ):
        refused(arrays, {**values, name: wrong})
    refused({**arrays, "fit.order": np.zeros(4, dtype=np.int64)}, values)
    refused({**arrays, "fit.step_factors": np.zeros(0)}, values)
    refused({**arrays, "fit.step_factors": np.full(1, 1e150)}, values)
    if kind == "logistic":
        refused(arrays, {**values, "estimator.regressor": "mine"})


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_numbers_nothing_but_a_value_error(
    tmp_path: Path, data: st.DataObject
) -> None:
    kind = data.draw(st.sampled_from(["binary", "gaussian"]))
    (tmp_path / kind).mkdir(exist_ok=True)
    path = tmp_path / "fuzzed"
    if not (tmp_path / kind / "a.headrace").exists():
        saved(tmp_path / kind, kind)
    arrays, texts = read_tensor_file(tmp_path / kind / "a.headrace")
    values = json.loads(texts["values"])
    junk = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False),
        st.text(),
    )
    for name in data.draw(st.lists(st.sampled_from(sorted(values)), max_size=2)):
        values[name] = data.draw(junk)
    for name in data.draw(st.lists(st.sampled_from(sorted(arrays)), max_size=2)):
        extreme = st.sampled_from([np.nan, np.inf, -np.inf, 1e308, -1.0, 0.0])
        cells = arrays[name].reshape(-1)
        if cells.size and cells.dtype.kind == "f":
            cells[data.draw(st.integers(0, cells.size - 1))] = data.draw(extreme)
        elif cells.size and cells.dtype.kind == "i":
            cells[data.draw(st.integers(0, cells.size - 1))] = data.draw(
                st.integers(-(2**62), 2**62)
            )
    try:
        text = json.dumps(values, allow_nan=False)
    except ValueError:
        text = json.dumps(values)  # infinities, which are no JSON
    write_tensor_file(path, arrays, {**texts, "values": text})
    with suppress(ValueError):  # whatever else is raised fails
        hr.load_router(path)


def test_other_readers_of_the_layout_read_it(tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    path = saved(tmp_path)
    arrays, _ = read_tensor_file(path)
    theirs = numpy.load_file(path)
    assert theirs.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(theirs[name], array)
        assert theirs[name].dtype == array.dtype


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"")
    (tmp_path / "link").symlink_to("real")
    router_of("gaussian")[0].save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    hr.load_router(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="is no file"):
        router_of("gaussian")[0].save(tmp_path / "pipe")
    router_of("gaussian")[0].save(tmp_path / ("n" * 250))


@pytest.mark.parametrize("name", ["fit.n_features", "fit.n_signals", "estimator.n_features_"])
def test_sizes_are_bounded(tmp_path: Path, name: str) -> None:
    for kind in ("precomputed", "gaussian"):
        path = saved(tmp_path, kind)
        arrays, texts = read_tensor_file(path)
        values = json.loads(texts["values"])
        for size in (10**13, 10**6, 0) if name in values else ():
            changed = json.dumps({**values, name: size})
            write_tensor_file(path, arrays, {**texts, "values": changed})
            if size == 10**13 or (kind == "gaussian" and values[name] != size):
                with pytest.raises(ValueError, match="is not a saved router"):
                    hr.load_router(path)
