"""Measuring what vdo claims: `make bench`. Every figure is a ratio of runs that stand beside each other."""
