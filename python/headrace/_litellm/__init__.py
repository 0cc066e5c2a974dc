"""The parts of :mod:`headrace.litellm`."""

from __future__ import annotations
