"""Imports of the package run one way, those for types and those inside functions included."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import headrace

ROOT = Path(headrace.__file__).parents[1]


def module_name(path: Path) -> str:
    """Return the name of a module by its file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_there_is_no_circle() -> None:
    files = {module_name(path): path for path in (ROOT / "headrace").rglob("*.py")}
    imports: dict[str, set[str]] = {}
    for name, path in files.items():
        imports[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                package = node.module
                inner = {f"{package}.{alias.name}" for alias in node.names}
                imports[name] |= {module if module in files else package for module in inner}
            elif isinstance(node, ast.Import):
                imports[name] |= {alias.name for alias in node.names}
        imports[name] &= set(files) - {name}
    assert len(imports["headrace"]) > 5
    assert len(list(TopologicalSorter(imports).static_order())) == len(files)
