"""The use cases: the only door that views go through."""
