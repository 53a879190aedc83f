"""The repository: refs, objects, journals, trailers, the index, provenance."""
