"""Estimators: what is expected of every model's answer, given what is known of a query."""

from __future__ import annotations
