"""Choice of the instruction set, proof of which one ran, and the same bits on all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import headrace
import numpy as np
import pytest
from cases import ANSWERS, PLANS

REASONS = headrace.instruction_sets()
NAMES = list(REASONS)
AVAILABLE = [name for name, reason in REASONS.items() if reason is None]

ANSWER = Path(__file__).with_name("answers.py")
ASK = """
import headrace
from headrace import _core
headrace.batch_select([[0.5, 0.75]], [1.0, 2.0], 0.1, backend="cpp")
print(_core.instruction_set())
"""

FEATURES = {
    "avx2": {"avx2", "bmi1", "bmi2"},
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "bmi1", "bmi2"},
    "baseline": set(),
}
"""What each instruction set takes, in the words of /proc/cpuinfo."""

needs_extension = pytest.mark.skipif(not AVAILABLE, reason=str(REASONS["baseline"]))


def run(*arguments: str, forced: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run Python, without a choice of instruction set or with a forced one."""
    environment = {name: value for name, value in os.environ.items() if name != "HEADRACE_ISA"}
    if forced is not None:
        environment["HEADRACE_ISA"] = forced
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def ask(forced: str | None = None) -> str:
    """Return the name of the instruction set that decided."""
    done = run("-c", ASK, forced=forced)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def cpu_features() -> set[str]:
    """Return what the operating system says of the first CPU."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return set(line.split(":")[1].split())
    return set()


# The list


def test_names_and_reasons() -> None:
    assert NAMES[-1] == "baseline"
    assert all(reason is None or reason for reason in REASONS.values())


@needs_extension
def test_names_of_the_build() -> None:
    assert NAMES == ["avx512", "avx2", "baseline"]
    assert AVAILABLE[-1] == "baseline"


@needs_extension
@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="nothing to compare with")
def test_reasons_agree_with_the_operating_system() -> None:
    features = cpu_features()
    for name, reason in REASONS.items():
        if reason is None:
            assert features >= FEATURES[name]
        elif "CPU" in reason:
            assert not features >= FEATURES[name]


def test_a_missing_extension_is_the_reason() -> None:
    script = "import sys\nsys.modules['headrace._core'] = None\nimport headrace\n"
    done = run("-c", script + "print(headrace.instruction_sets()['baseline'])")
    assert done.returncode == 0, done.stderr
    assert "_core" in done.stdout


# The choice


@needs_extension
def test_the_fastest_available_runs() -> None:
    assert ask() == AVAILABLE[0]


@needs_extension
def test_empty_environment_is_no_choice() -> None:
    assert ask("") == AVAILABLE[0]


@needs_extension
@pytest.mark.parametrize("name", [name for name in NAMES if name not in AVAILABLE] + ["nonesuch"])
def test_a_forced_name_that_is_not_available(name: str) -> None:
    script = f"""
import headrace  # which alone fails for no name
assert headrace.instruction_sets() == {REASONS}
{ASK}
"""
    done = run("-c", script, forced=name)
    assert done.returncode == 1
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"ValueError: HEADRACE_ISA: {'' if name in NAMES else 'unknown '}")
    assert (REASONS.get(name) or "choose one of") in error
    for expected in (f"'{name}'", *AVAILABLE):
        assert expected in error


@needs_extension
def test_a_refused_name_can_be_put_right() -> None:
    script = """
import os
import headrace
def decide():
    return headrace.batch_select([[0.5, 0.75]], [1.0, 2.0], 0.1, backend="cpp")
for attempt in range(2):
    try:
        decide()
    except ValueError as error:
        print("refused")
os.environ["HEADRACE_ISA"] = "baseline"
decide()
os.environ["HEADRACE_ISA"] = "nonesuch"
decide()  # chosen for the life of the process
print(headrace._core.instruction_set())
"""
    done = run("-c", script, forced="nonesuch")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["refused", "refused", "baseline"]


@needs_extension
def test_this_run() -> None:
    """The instruction set of this process is what its environment asks for."""
    from headrace import _core

    assert _core.instruction_set() == (os.environ.get("HEADRACE_ISA") or AVAILABLE[0])


# The answers


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Answers on the baseline."""
    return answers("baseline", tmp_path_factory.mktemp("baseline"))


def answers(name: str, folder: Path) -> dict[str, bytes]:
    """Return the bits of all answers on a forced instruction set, which must be what ran."""
    file = folder / "answers.npz"
    done = run(str(ANSWER), str(file), forced=name)
    assert done.returncode == 0, done.stderr
    with np.load(file) as arrays:
        bits = {key: arrays[key].tobytes() for key in arrays if key != "instruction_set"}
        assert arrays["instruction_set"] == name
    return bits


@needs_extension
@pytest.mark.parametrize("name", NAMES[:-1])
def test_same_bits(name: str, baseline: dict[str, bytes], tmp_path: Path) -> None:
    reason = REASONS[name]
    if reason is not None:
        pytest.skip(reason)
    given = answers(name, tmp_path)
    assert given.keys() == baseline.keys()
    assert [key for key in given if given[key] != baseline[key]] == []


@needs_extension
def test_every_plan_and_answer_is_compared(baseline: dict[str, bytes]) -> None:
    compared = {key.split()[0] for key in baseline}
    assert compared == {"-".join((*plan, answer)) for plan in PLANS for answer in ANSWERS}
