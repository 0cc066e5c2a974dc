"""The installed package from C and C++: built by CMake, and deciding as it does from Python.

``HEADRACE_CMAKE_DIR`` names the package of another installation of the same version to look at.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import headrace
import headrace as hr
import numpy as np
import pytest
from cases import PLANS, Floats
from headrace import _embed
from headrace._covariance import lower_cholesky
from headrace._samples import standard_normal_samples
from test_estimators import simulated

TESTS = Path(__file__).resolve().parent
README = TESTS.parent / "README.md"
STRICT = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
N_CASES = 1000
WEIGHT = 0.05
"""Money for a second."""

HEADER = np.dtype(
    [(name, "S16") for name in ("strategy", "search", "ties")]
    + [(name, "i8") for name in ("n", "k", "n_samples", "max_models", "fixed_order", "seed")]
    + [(f"{name}_rows", "i8") for name in ("costs", "lambda", "sigmas", "factor", "ran")]
)
"""As ``struct header`` in ``tests/embedding/cases.h``."""

SESSION_HEADER = np.dtype(
    [(name, "i8") for name in ("k", "n_features", "n_signals", "row", "dearer", "group_kind")]
    + [("integer_group", "i8"), ("real_group", "f8"), ("group", "S16"), ("surcharged", "i8")]
)
"""As ``struct session_header`` in ``tests/embedding/sessions.h``."""
GROUP_KINDS: dict[type, tuple[int, str]] = {
    str: (1, "group"),
    int: (2, "integer_group"),
    float: (3, "real_group"),
}


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command; what it says is the message if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tools() -> None:
    """Skip where nothing can be compiled."""
    if headrace.backends()["cpp"] is not None:
        pytest.skip(f"nothing to link: {headrace.backends()['cpp']}")
    if os.name == "nt":
        pytest.skip("the commands are for a Unix shell")
    for tool, names in {
        "cmake": ["cmake"],
        "C compiler": ["cc", "gcc", "clang"],
        "C++ compiler": ["c++", "g++", "clang++"],
        "program to build with": ["make", "ninja"],
    }.items():
        if not any(shutil.which(name) for name in names):
            pytest.skip(f"there is no {tool}")


@pytest.fixture(scope="module")
def cmake_dir(tools: None) -> Path:
    """Return the folder of the package's CMake files."""
    given = os.environ.get("HEADRACE_CMAKE_DIR")
    return Path(given or run(sys.executable, "-m", "headrace", "--cmake-dir").rstrip("\n"))


@pytest.fixture(scope="module")
def programs(cmake_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the programs of ``tests/embedding``; return their folder."""
    build = tmp_path_factory.mktemp("embedding")
    generator = ["-G", "Ninja"] if shutil.which("make") is None else []
    run("cmake", "-S", TESTS / "embedding", "-B", build, f"-Dheadrace_DIR={cmake_dir}", *generator)
    run("cmake", "--build", build)
    return build


def random_case(rng: np.random.Generator, strategy: str, search: str) -> dict[str, Any]:
    """Return arguments of `headrace.batch_select`, with and without ties."""

    def coin() -> bool:
        return bool(rng.integers(2))

    n = int(rng.integers(1, 5))
    k = int(rng.integers(1, 51 if search == "exact" and coin() else 11))
    on_grid = coin()

    def numbers(*shapes: tuple[int, ...]) -> Floats:
        drawn = rng.uniform(size=shapes[int(rng.integers(len(shapes)))])
        return np.round(drawn * 8) / 8 if on_grid else drawn

    case: dict[str, Any] = {
        "qualities": numbers((n, k)),
        "costs": numbers((k,), (n, k)),
        "lambda_": numbers((), (n,)),
        "strategy": strategy,
        "search": search,
        "ties": "dearest" if coin() else "cheapest",
    }
    if strategy != "index" and coin():
        loadings = rng.uniform(-0.3, 0.3, (k, k))
        each = rng.uniform(0.5, 1.0, (n, 1, 1)) if coin() else 1.0
        case["covariance"] = loadings @ loadings.T * each
    elif coin():
        case["sigmas"] = 0.4 * numbers((k,), (n, k))
    if coin():
        case["ran"] = (rng.uniform(size=(n, k)) < 0.4) & (np.arange(k) != rng.integers(k))
    if strategy != "index":
        case["fixed_order"] = coin()
        case["max_depth"] = int(rng.integers(1, k + 1)) if coin() else None
    if coin():
        case["samples"] = rng.standard_normal((k, int(rng.integers(1, 40))))
    else:
        case["n_samples"] = int(2 ** rng.integers(8))
        case["seed"] = int(rng.integers(2**63))
    return case


def as_bytes(case: dict[str, Any]) -> bytes:
    """Return a case as ``tests/embedding/cases.h`` reads it."""
    n, k = case["qualities"].shape
    sigmas, factor, samples = case.get("sigmas"), None, case.get("samples")
    if "covariance" in case:
        factor = lower_cholesky(case["covariance"].reshape(-1, k, k))
    if case["strategy"] not in ("cascade", "cascade_routing") or sigmas is factor is None:
        n_samples, samples = 0, None
    else:
        n_samples = case["n_samples"] if samples is None else samples.shape[1]

    arrays = {
        "qualities": case["qualities"],
        "costs": case["costs"],
        "lambda": case["lambda_"],
        "sigmas": sigmas,
        "factor": factor,
        "ran": case.get("ran"),
        "samples": samples,
    }
    numbers = {
        "n": n,
        "k": k,
        "n_samples": n_samples,
        "max_models": case.get("max_depth") or 0,
        "fixed_order": case.get("fixed_order", False),
        "seed": case.get("seed", -1),
    }
    for name, width in (("costs", k), ("lambda", 1), ("sigmas", k), ("factor", k * k), ("ran", k)):
        array = arrays[name]
        numbers[f"{name}_rows"] = 0 if array is None else np.size(array) // width
    header = np.zeros((), HEADER)
    for name in HEADER.names or ():
        header[name] = numbers[name] if name in numbers else case[name].encode()
    found = [np.asarray(array) for array in arrays.values() if array is not None]
    return b"".join(array.tobytes() for array in [header, *found])


def answers(content: bytes, n: int, k: int, place: int) -> tuple[dict[str, Any], int]:
    """Return the answers to a case that begin at a place of a file, and where they end."""
    found: dict[str, Any] = {}
    for name, dtype, width in (
        ("next_model", np.int64, 1),
        ("nodes", np.int64, 1),
        ("tradeoff", np.float64, 1),
        ("quality", np.float64, 1),
        ("cost", np.float64, 1),
        ("upper_bound", np.float64, 1),
        ("supermodel", np.bool_, k),
        ("optimal", np.bool_, 1),
    ):
        found[name] = np.frombuffer(content, dtype, count=n * width, offset=place)
        place += found[name].nbytes
    found["supermodel"] = found["supermodel"].reshape(n, k)
    return found, place


@pytest.mark.parametrize("program", ["decide_c", "decide_cpp"])
def test_a_thousand_cases_are_decided_as_from_python(
    program: str, programs: Path, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    cases = [random_case(rng, *PLANS[number % len(PLANS)]) for number in range(N_CASES)]
    (tmp_path / "cases").write_bytes(b"".join(as_bytes(case) for case in cases))
    run(programs / program, tmp_path / "cases", tmp_path / "answers")
    content = (tmp_path / "answers").read_bytes()
    place = 0
    for case in cases:
        expected = headrace.batch_select(**case, backend="cpp", n_threads=1)
        n, k = case["qualities"].shape
        given, place = answers(content, n, k, place)
        for name, values in given.items():
            np.testing.assert_array_equal(values, getattr(expected, name), err_msg=name)
    assert place == len(content)


Sessions = list[dict[str, Any]]


def make_router(kind: str) -> tuple[hr.Router, hr.QueryLog]:
    """Return a fitted router; its log has what a query and an answer may be known by."""
    log = simulated(160, 5, 3, m=2, d=2, groups=3, binary=kind == "binary")
    options: dict[str, Any] = {"n_threads": 1, "n_samples": 32}
    estimator: Any = hr.GaussianEstimator()
    if kind == "index":
        options["strategy"] = "index"
        log = replace_groups(log, [0.25, 0.5, 1.5])
    elif kind == "binary":
        estimator = hr.BinaryEstimator(n_classes=2)
        log = replace_groups(log, ["code", "maths", "other"])
    elif kind == "own":
        log = simulated(160, 5, 3, d=10, groups=3, binary=True)
        estimator = hr.BinaryEstimator(n_classes=2, own_features=np.arange(10).reshape(5, 2))
    elif kind == "rows":
        log = simulated(160, 5, 3, binary=False)
        options["strategy"] = "threshold_cascade"
        estimator = hr.PrecomputedEstimator(0.6 * log.quality, log.cost, post=log.quality)
    return hr.Router(estimator, **options).fit(log, budget=2.0 * float(log.cost.mean())), log


def replace_groups(log: hr.QueryLog, labels: list[Any]) -> hr.QueryLog:
    """Return the log with other labels of its groups."""
    return hr.QueryLog(
        log.quality,
        log.cost,
        features=log.queries.features,
        signals=log.queries.signals,
        groups=np.array(labels)[log.queries.groups],
    )


def random_sessions(log: hr.QueryLog, n: int, rng: np.random.Generator) -> Sessions:
    """Return queries of the log, with models that fail, and time that counts as cost."""
    known = log.queries
    sessions = []
    for _ in range(n):
        row = int(rng.integers(len(known)))
        fails = rng.random(log.n_models) < 0.2
        fails[rng.integers(log.n_models)] = False
        group = None if known.groups is None or rng.random() < 0.2 else known.groups[row].item()
        sessions.append(
            {
                "row": row,
                "features": None if known.features is None else known.features[row],
                "signals": known.signals[row] if known.signals is not None else None,
                "group": group,
                "dearer": bool(rng.integers(2)),
                "fails": fails,
                "seconds": rng.uniform(size=log.n_models) if rng.random() < 0.3 else None,
            }
        )
    return sessions


def session_as_bytes(session: dict[str, Any]) -> bytes:
    """Return a session as ``tests/embedding/sessions.h`` reads it."""
    header = np.zeros((), SESSION_HEADER)
    for name in ("row", "dearer"):
        header[name] = session[name]
    header["k"] = len(session["fails"])
    header["n_features"] = 0 if session["features"] is None else len(session["features"])
    header["n_signals"] = 0 if session["signals"] is None else session["signals"].shape[1]
    header["surcharged"] = session["seconds"] is not None
    if session["group"] is not None:
        kind, name = GROUP_KINDS[type(session["group"])]
        header["group_kind"] = kind
        header[name] = session["group"].encode() if kind == 1 else session["group"]
    surcharge = None if session["seconds"] is None else WEIGHT * session["seconds"]
    arrays = [header, session["features"], surcharge, session["signals"], session["fails"]]
    return b"".join(array.tobytes() for array in arrays if array is not None)


def play(router: hr.Router, session: dict[str, Any]) -> tuple[list[int], int]:
    """Return the models that run on a query, and the one whose answer is given."""
    timed = session["seconds"] is not None
    run = router.start(
        session["features"],
        group=session["group"],
        index=session["row"],
        dearer=session["dearer"],
        latency_weight=WEIGHT if timed else 0.0,
        seconds=session["seconds"],
    )
    path = []
    while run.next_index >= 0:
        model = run.next_index
        if session["fails"][model]:
            run.exclude(model)
        else:
            run.observe(model, None if session["signals"] is None else session["signals"][model])
            path.append(model)
    assert run.answer is not None
    return path, router.models_.index(run.answer)


@pytest.mark.parametrize("kind", ["gaussian", "index", "binary", "own", "rows"])
def test_a_thousand_sessions_go_as_from_python(kind: str, programs: Path, tmp_path: Path) -> None:
    router, log = make_router(kind)
    router.save(tmp_path / "router")
    sessions = random_sessions(log, N_CASES // 4, np.random.default_rng(3))
    if kind == "rows":  # a threshold cascade knows no costs
        sessions = [{**session, "seconds": None} for session in sessions]
    (tmp_path / "sessions").write_bytes(b"".join(map(session_as_bytes, sessions)))
    written = {}
    for program in ("sessions_c", "sessions_cpp"):
        names = run(
            programs / program, tmp_path / "router", tmp_path / "sessions", tmp_path / program
        )
        also = ["allocated 0"] if program == "sessions_cpp" else []
        assert names.splitlines() == [*router.models_, *also]
        written[program] = (tmp_path / program).read_bytes()
    assert written["sessions_c"] == written["sessions_cpp"]
    k = log.n_models
    layout: list[Any] = [("answer", "i8"), ("n_ran", "i8"), ("path", "i8", k), ("numbers", "f8", 4)]
    layout += [("estimates", "f8", (3, k)), ("supermodel", "?", k)]
    went = np.frombuffer(written["sessions_c"], np.dtype(layout))
    assert len(went) == len(sessions)
    lengths = set()
    for session, given in zip(sessions, went, strict=True):
        path = given["path"][: given["n_ran"]].tolist()
        assert (path, given["answer"]) == play(router, session)
        assert set(path) == set(np.flatnonzero(given["supermodel"]))
        lengths.add(len(path))
    assert len(lengths) > 1


def test_faults_have_the_documented_codes_and_messages(programs: Path) -> None:
    assert re.search(r"^[1-9]\d* passed, 0 failed$", run(programs / "faults_c"), re.MULTILINE)


def test_the_library_is_of_this_version(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "cases").write_bytes(b"")
    said = run(programs / "decide_c", tmp_path / "cases", tmp_path / "answers")
    assert said == f"{headrace.__version__}\n"


def test_the_code_of_the_readme_runs(tools: None, tmp_path: Path) -> None:
    section = re.search(r"\n## From C and C\+\+\n(.*?)\n## ", README.read_text("utf-8"), re.DOTALL)
    assert section
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", section[1], re.DOTALL))
    for language, name in {
        "cmake": "CMakeLists.txt",
        "c": "from_c.c",
        "cpp": "from_cpp.cpp",
    }.items():
        (tmp_path / name).write_text(blocks[language], "utf-8")
    commands = re.findall(r"^\$ (.*)$", blocks["console"], re.MULTILINE)
    assert commands
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    strict = {"CFLAGS": f"-std=c99 {STRICT}", "CXXFLAGS": STRICT}
    for command in commands:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env={**os.environ, **strict, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    selection = headrace.batch_select(
        [[0.7, 0.8, 0.9]], [1.0, 2.0, 9.0], 0.03, sigmas=[0.2, 0.1, 0.1]
    )
    expected = f"run model {selection.next_model[0]} for {selection.quality[0]:.6f}\n"
    assert run(tmp_path / "build" / "from_c") == expected

    log = simulated(160, 3, 3, m=1, d=1, binary=False)
    router = hr.Router(hr.GaussianEstimator()).fit(log, budget=2.0 * float(log.cost.mean()))
    router.save(tmp_path / "router.headrace")
    session = router.start([0.4], dearer=False)
    lines = []
    while session.next_model is not None:
        lines.append(f"run {session.next_model}\n")
        session.observe(session.next_model, 0.7)
    lines.append(f"answer of {session.answer}\n")
    assert run(tmp_path / "build" / "from_cpp", cwd=tmp_path) == "".join(lines)


def test_draws_are_those_of_the_package(cmake_dir: Path) -> None:
    """Up to the logarithms of the two builds."""
    library = next(cmake_dir.parents[1].glob("libheadrace_c.*"))
    draw = ctypes.CDLL(str(library)).headrace_samples
    draw.argtypes = [ctypes.c_uint64, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    for seed, k, n_samples in ((0, 1, 1), (2**64 - 1, 70, 4096), (5, 4096, 8)):
        given = np.full((k, n_samples), np.nan)
        assert draw(seed, k, n_samples, given.ctypes.data) == 0
        np.testing.assert_array_max_ulp(given, standard_normal_samples(k, n_samples, seed), 4)


@pytest.mark.parametrize("flag", list(_embed.FOLDERS))
def test_a_pure_wheel_says_that_it_has_no_files(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_embed, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pure wheel.*HEADRACE_REQUIRE_EXTENSION=1"):
        _embed.print_folder([flag])


def test_the_flags_print_folders(tools: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert not _embed.print_folder(["demo"])
    assert not _embed.print_folder(["--cmake-dir", "demo"])
    assert capsys.readouterr().out == ""
    assert _embed.print_folder(["--include-dir"])
    folder = Path(capsys.readouterr().out.rstrip("\n"))
    assert (folder / "headrace.h").is_file()
    assert (folder / "headrace" / "headrace.hpp").is_file()
    assert (_embed.cmake_dir() / "headraceConfig.cmake").is_file()
