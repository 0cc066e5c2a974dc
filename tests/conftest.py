"""Hypothesis profiles, and one run of a test for every backend and plan."""

from __future__ import annotations

import os

import headrace
import pytest
from cases import PLANS
from hypothesis import settings
from strategies import register_profiles

register_profiles()
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_report_header() -> str:
    """Say what decides; a forced instruction set that is not available ends the run here."""
    reasons = headrace.backends()
    if reasons["cpp"] is not None:
        return f"headrace: backends {reasons}"
    from headrace import _core

    try:
        chosen = _core.instruction_set()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    return f"headrace: backends {reasons}; instruction set {chosen}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Fill in the arguments ``backend`` and ``plan`` (a strategy with its search)."""
    if "backend" in metafunc.fixturenames:
        backends = [
            pytest.param(name, marks=[pytest.mark.skip(reason)] if reason else [])
            for name, reason in headrace.backends().items()
        ]
        metafunc.parametrize("backend", backends)
    if "plan" in metafunc.fixturenames:
        metafunc.parametrize("plan", PLANS, ids=["-".join(plan) for plan in PLANS])
