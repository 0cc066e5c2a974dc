"""Choice of the backend, and manners towards the process: imports, signals and forks."""

from __future__ import annotations

import doctest
import importlib
import os
import pkgutil
import signal
import subprocess
import sys
import textwrap
import time

import headrace
import pytest

REASONS = headrace.backends()
NAMES = list(REASONS)

# Says which backend decides, and asks for one decision.
SPY = """
import importlib
import sys
import headrace

def spy(name):
    module = importlib.import_module("headrace._backends." + name)
    select = module.select

    def told(problem, n_threads):
        print("decided by", name)
        return select(problem, n_threads)

    module.select = told

def ask(**options):
    return headrace.batch_select(
        [[0.5, 0.75]], [1.0, 2.0], 0.1, sigmas=[0.1, 0.1], n_samples=8, **options
    )

for name, reason in headrace.backends().items():
    if reason is None:
        spy(name)
"""

# A batch that takes minutes, and one query that does.
LONG = """
import signal
import sys
import numpy as np
import headrace

backend, n_threads, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
rng = np.random.default_rng(0)
if kind == "batch":
    n, k = (100_000, 48) if backend != "reference" else (20_000, 12)
    qualities = rng.uniform(0.4, 0.6, (n, k))
else:
    n, k = 1, (300 if backend != "reference" else 20)
    qualities = np.full((n, k), 0.5)
price, n_samples = (0.003, 128) if kind == "batch" else (0.0005, 2048)
arguments = dict(
    costs=np.full(k, price), lambda_=1.0, sigmas=np.full(k, 0.3), n_samples=n_samples
)

def decide(rows):
    return headrace.batch_select(
        qualities[:rows], **arguments, backend=backend, n_threads=n_threads
    )

headrace.batch_select(
    np.zeros((2, 3)), [1.0, 1.0, 1.0], 0.5, sigmas=[1.0, 1.0, 1.0], backend=backend
)  # compiles, where that is needed
"""


def environment(**variables: str) -> dict[str, str]:
    """Return the environment without a choice of backend, plus `variables`."""
    inherited = {name: value for name, value in os.environ.items() if name != "HEADRACE_BACKEND"}
    return inherited | variables


def run(script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a Python of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def output(script: str, *arguments: str, **variables: str) -> str:
    """Run a script that must succeed and return what it prints."""
    done = run(script, *arguments, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def skip_unavailable(backend: str) -> None:
    reason = REASONS[backend]
    if reason is not None:
        pytest.skip(reason)


# Choice


def test_names_and_reasons() -> None:
    assert NAMES == ["cpp", "numba", "reference"]
    assert REASONS["reference"] is None
    assert all(reason is None or reason for reason in REASONS.values())


def test_the_fastest_available_decides() -> None:
    fastest = next(name for name in NAMES if REASONS[name] is None)
    assert output(SPY + "ask()") == f"decided by {fastest}"


def test_environment_forces_a_backend(backend: str) -> None:
    assert output(SPY + "ask()", HEADRACE_BACKEND=backend) == f"decided by {backend}"


def test_argument_goes_before_the_environment(backend: str) -> None:
    script = SPY + f"ask(backend={backend!r})"
    assert output(script, HEADRACE_BACKEND="reference") == f"decided by {backend}"


def test_empty_environment_is_no_choice() -> None:
    assert output(SPY + "ask()", HEADRACE_BACKEND="") == output(SPY + "ask()")


def test_unknown_name_in_the_environment() -> None:
    done = run(SPY + "ask()", HEADRACE_BACKEND="gpu")
    assert done.returncode == 1
    assert "ValueError" in done.stderr
    for name in ("gpu", *NAMES):
        assert repr(name) in done.stderr


def test_a_chosen_backend_does_not_warn(backend: str) -> None:
    script = "import warnings\nwarnings.simplefilter('error')\n" + SPY
    assert output(script + f"ask(backend={backend!r})") == f"decided by {backend}"


def test_numba_decides_where_the_extension_is_missing() -> None:
    skip_unavailable("numba")
    script = "import sys\nsys.modules['headrace._core'] = None\n" + SPY
    script += "ask()\nprint(headrace.backends()['cpp'])"
    decided, reason = output(script).splitlines()
    assert decided == "decided by numba"
    assert "_core" in reason


def test_reference_decides_with_a_warning_where_all_else_is_missing() -> None:
    script = "import sys\nsys.modules['headrace._core'] = None\nsys.modules['numba'] = None\n" + SPY
    done = run(script + "ask()")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "decided by reference"
    assert "RuntimeWarning" in done.stderr

    script += "print(*(name for name, why in headrace.backends().items() if why is None))"
    assert output(script) == "reference"
    error = run(script + "\nask(backend='numba')").stderr
    assert "ValueError" in error
    assert "numba" in error
    assert "'reference'" in error


@pytest.mark.parametrize("call", ["", "ask(backend='cpp')", "ask(backend='reference')"])
def test_heavy_modules_are_not_imported(call: str) -> None:
    if "cpp" in call:
        skip_unavailable("cpp")
    script = SPY.split("def spy")[0] + "def ask" + SPY.split("def ask")[1].split("for name")[0]
    heavy = ["numba", "scipy", "matplotlib", "asyncio"]
    script += call + f"\nprint([module for module in {heavy} if module in sys.modules])"
    assert output(script) == "[]"


# Signals and forks


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to other processes")
@pytest.mark.parametrize("kind", ["batch", "query"])
@pytest.mark.parametrize("n_threads", [1, 2])
def test_interrupt(kind: str, n_threads: int, backend: str) -> None:
    if backend == "reference" and n_threads > 1:
        pytest.skip("it has one thread")
    script = LONG + "print('ready', flush=True)\ndecide(len(qualities))\nprint('done', flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-c", script, backend, str(n_threads), kind],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(1.0)
        child.send_signal(signal.SIGINT)
        rest, errors = child.communicate(timeout=10.0)
    finally:
        child.kill()
        child.communicate()
    assert rest == ""
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert child.returncode == -signal.SIGINT


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms")
def test_exception_of_a_signal_handler_arrives_as_itself(backend: str) -> None:
    script = """
class Enough(Exception):
    pass

def raise_enough(number, frame):
    raise Enough("time is up")

signal.signal(signal.SIGALRM, raise_enough)
signal.setitimer(signal.ITIMER_REAL, 0.5)
try:
    decide(len(qualities))
except Enough as error:
    print("caught", error, flush=True)
print(decide(0).next_model)
"""
    assert output(LONG + script, backend, "2", "batch").splitlines() == ["caught time is up", "[]"]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no alarms")
def test_signal_handler_that_raises_nothing_changes_nothing(backend: str) -> None:
    script = """
rows = 200 if backend != "reference" else 4
expected = decide(rows)
ticks = []
signal.signal(signal.SIGALRM, lambda number, frame: ticks.append(number))
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
disturbed = decide(rows)
signal.setitimer(signal.ITIMER_REAL, 0.0)
assert (disturbed.supermodel == expected.supermodel).all()
assert (disturbed.tradeoff == expected.tradeoff).all()
print("same")
"""
    assert output(LONG + script, backend, "2", "batch") == "same"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_fork_after_a_threaded_call(backend: str) -> None:
    script = """
import multiprocessing
import warnings

warnings.simplefilter("ignore", DeprecationWarning)
rng = np.random.default_rng(1)
qualities = rng.uniform(size=(16, 8))
arguments["costs"] = np.full(8, 0.1)
arguments["sigmas"] = np.full(8, 0.1)
rows = len(qualities)
here = decide(rows).tradeoff.tolist()

def elsewhere(queue):
    queue.put(decide(rows).tradeoff.tolist())

context = multiprocessing.get_context("fork")
queue = context.Queue()
child = context.Process(target=elsewhere, args=(queue,))
child.start()
there = queue.get(timeout=60)
child.join(60)
assert child.exitcode == 0
assert here == there == decide(rows).tradeoff.tolist()
print("same")
"""
    assert output(LONG + script, backend, "4", "batch") == "same"


def test_threads_of_the_caller(backend: str) -> None:
    """Calls from several Python threads at once do not disturb each other."""
    script = """
from concurrent.futures import ThreadPoolExecutor

rows = 32 if backend != "reference" else 1
expected = decide(rows).tradeoff.tolist()
with ThreadPoolExecutor(4) as pool:
    answers = list(pool.map(lambda _: decide(rows).tradeoff.tolist(), range(8)))
assert all(answer == expected for answer in answers)
print("same")
"""
    assert output(LONG + script, backend, "2", "batch") == "same"


# Documentation


def documented_modules() -> list[str]:
    """Return the modules of the package but for the extension and the programs."""
    left_out = ("_core", "demo", "__main__")
    walk = pkgutil.walk_packages(headrace.__path__, "headrace.")
    names = [module.name for module in walk if module.name.rsplit(".", 1)[-1] not in left_out]
    return ["headrace", *names]


@pytest.mark.parametrize("name", documented_modules())
def test_examples_in_docstrings(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    assert any(test.examples for test in finder.find(headrace.batch_select, "batch_select"))
