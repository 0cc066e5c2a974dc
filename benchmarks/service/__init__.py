"""A reference service: sessions of a saved router behind HTTP, to measure against and to copy."""

from __future__ import annotations
