"""Servers and repositories that behave like the real ones, errors included."""
