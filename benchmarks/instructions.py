"""Count the instructions of the C++ library and compare them with the record.

``python benchmarks/instructions.py`` builds the library, decides every workload of
``cpp/benchmarks/count_instructions.cpp`` under callgrind, counts what runs inside
`headrace::batch_select`, and compares with ``instructions.json``. More than 3 % above the record
fails; more than 3 % below, the record is stale, which is said. ``--update`` writes the record.

Counts depend on the compiler, so the record names it; another one, or no valgrind, skips.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypedDict

from tables import Table
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "benchmarks" / "instructions.json"
TOLERANCE = 0.03
INSTRUCTION_SET = "avx2"
"""Forced, where there is a choice: callgrind does not know AVX-512."""


class Record(TypedDict):
    """What ``instructions.json`` holds."""

    compiler: str
    machine: str
    instruction_set: str
    counts: dict[str, int]


def build(folder: Path) -> Path:
    """Build the program that is counted."""
    configure = ["cmake", "-S", str(ROOT), "-B", str(folder), "-DHEADRACE_BENCHMARKS=ON"]
    if shutil.which("ninja"):
        configure += ["-G", "Ninja"]
    for command in (
        [*configure, "-DCMAKE_BUILD_TYPE=Release"],
        ["cmake", "--build", str(folder), "--parallel", "2"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return folder / "cpp" / "benchmarks" / "count_instructions"


def ask(program: Path, argument: str) -> list[str]:
    """Return the lines that the program answers."""
    done = subprocess.run([program, argument], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def count(program: Path, name: str) -> int:
    """Count the instructions of one workload inside the call."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out"]
        command += ["--toggle-collect=headrace::batch_select(*", str(program), name]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"HEADRACE_ISA": INSTRUCTION_SET},
        )
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or collected is None:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    counted = int(collected[1])
    if counted == 0:
        sys.exit(f"{name}: nothing was counted: callgrind does not find headrace::batch_select")
    return counted


def measure(program: Path, compiler: str) -> Record:
    """Count every workload."""
    names = ask(program, "--list")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = pool.map(lambda name: count(program, name), names)
        progress = tqdm(counted, total=len(names), leave=False)
        counts = dict(zip(names, progress, strict=True))
    return Record(
        compiler=compiler,
        machine=platform.machine(),
        instruction_set=INSTRUCTION_SET,
        counts=counts,
    )


def compare(record: Record, measured: Record) -> tuple[bool, bool]:
    """Print both; say whether a count has grown or is not on record, and whether one has shrunk."""
    old, new = record["counts"], measured["counts"]
    rows, grown, stale = [], False, False
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before is None or after is None:
            verdict = "not on record" if before is None else "gone"
            grown = True
        else:
            change = after / before - 1
            verdict = f"{change:+.2%}"
            if change > TOLERANCE:
                verdict += " GROWN"
                grown = True
            elif change < -TOLERANCE:
                verdict += " stale"
                stale = True
        cells = ["-" if value is None else f"{value:,}" for value in (before, after)]
        rows.append([name, *cells, verdict])
    note = f"Inside headrace::batch_select, {measured['compiler']}, {measured['machine']}."
    print(Table("Instructions", note, ["workload", "record", "now", "change"], rows))
    return grown, stale


def main() -> int:
    """Build, count, compare or record."""
    parser = argparse.ArgumentParser(description="Count the instructions of the C++ library.")
    parser.add_argument("--update", action="store_true", help="write the record")
    arguments = parser.parse_args()
    for tool in ("cmake", "valgrind"):
        if shutil.which(tool) is None:
            print(f"skipped: {tool} is not installed")
            return 0
    record: Record | None = None
    if RECORD.is_file():
        record = json.loads(RECORD.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder))
        compiler = ask(program, "--compiler")[0]
        here = (compiler, platform.machine())
        if not arguments.update:
            if record is None:
                print(f"there is no {RECORD.name}: run with --update")
                return 1
            recorded = (record["compiler"], record["machine"])
            if recorded != here:
                print(f"skipped: the record is of {' on '.join(recorded)}, not {' on '.join(here)}")
                return 0
        measured = measure(program, compiler)
    if arguments.update:
        RECORD.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    grown, stale = compare(measured if record is None else record, measured)
    if arguments.update:
        print(f"\nRecorded in {RECORD.name}.")
        return 0
    if stale:
        print("\nFewer than on record: the record is stale. Run again with --update.")
    if grown:
        print("\nMore than on record, or not on record. If that is meant, run with --update.")
    return int(grown)


if __name__ == "__main__":
    sys.exit(main())
