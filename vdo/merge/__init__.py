"""Merging parallel jobs: a ladder of rungs, each only where the one above it fails."""
