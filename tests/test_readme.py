"""The README's code runs as it stands, and its commands say what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from click.testing import CliRunner
from headrace._cli.main import cli

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    blocks = [block for block in blocks if "headrace.litellm" not in block]  # see test_litellm.py
    assert blocks
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with mpl.rc_context({"backend": "agg"}):
        for block in blocks:
            exec(compile(block, str(README), "exec"), names)
    assert names["selection"].next_model.tolist() == [0, 1]
    assert names["run"].answer == "medium"
    assert names["done"].answer == "medium says 42"
    picture = tmp_path / "frontier.png"
    assert picture.stat().st_size > 10_000

    picture.unlink()
    [start] = (block for block in blocks if picture.name in block)
    assert sum(map(bool, start.splitlines())) < 15
    with mpl.rc_context({"backend": "agg"}):
        exec(compile(start, str(README), "exec"), {})  # by itself
    assert picture.exists()

    [shell] = re.findall(r"```console\n(\$ headrace .*?)```", text, re.DOTALL)
    steps = re.findall(r"\$ (\w+) (.*)\n((?:[^$].*\n)*)", shell)
    assert len(steps) == 3
    for program, arguments, output in steps:
        if program == "cat":
            Path(arguments).write_text(output, encoding="utf-8")
        else:
            assert CliRunner().invoke(cli, arguments.split()).output == output
